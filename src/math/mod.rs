//! Complex arithmetic of one frame on split planes, compiled for the processor's vector instructions; the inner loops of
//! the classical detectors and of the coordinate-descent kernel.

pub(crate) mod elementary;
pub(crate) mod hermitian;
pub(crate) mod inverse;
pub(crate) mod isa;
pub(crate) mod kernels;
pub(crate) mod lanes;
pub(crate) mod planes;
pub(crate) mod real;
pub(crate) mod special;
