//! The pilots as the detectors read them.

use crate::link::AccessModel;
use crate::math::planes::Planes;
use crate::math::real::Real;

/// Columns of the pilot matrix as rows of planes, `[N*Q, L]` with `L` padded, times `scale`.
pub(crate) fn pilot_columns<T: Real>(model: &AccessModel, scale: f64) -> Planes<T> {
    let mut planes = Planes::zeros(model.columns(), model.pilot_length(), 2 * T::LANES);
    for i in 0..model.columns() {
        for l in 0..model.pilot_length() {
            let v = model.pilots().at(l, i) * scale;
            planes.re[i * planes.stride + l] = T::of(v.re);
            planes.im[i * planes.stride + l] = T::of(v.im);
        }
    }
    planes
}
