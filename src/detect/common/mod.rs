//! What the algorithms share: the loop over frames, decisions from scores, packed columns, optimality of lassos.

pub(crate) mod best_threshold;
pub(crate) mod columns;
pub(crate) mod cost;
pub(crate) mod decide;
pub(crate) mod error;
pub(crate) mod fit;
pub(crate) mod frames;
pub(crate) mod groups;
pub(crate) mod kkt;
pub(crate) mod mmse;
pub(crate) mod options;
pub(crate) mod row_energy;
pub(crate) mod spatial;
