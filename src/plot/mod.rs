//! Charts: a figure is laid out once as a list of shapes ([`scene`]) and drawn twice, as SVG and as PNG.

pub(crate) mod axis;
pub(crate) mod dot_chart;
pub(crate) mod error;
pub(crate) mod format;
pub(crate) mod legend;
pub(crate) mod line_chart;
pub(crate) mod line_marks;
pub(crate) mod png;
pub(crate) mod scene;
pub(crate) mod style;
pub(crate) mod svg;

pub use error::DrawError;
