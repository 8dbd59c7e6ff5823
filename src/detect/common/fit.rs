//! The misfit of an estimate, `R = Y - A X`, for estimates in which no row need be zero.

use crate::detect::amp::steps::PackedPilots;
use crate::math::isa::Isa;
use crate::math::planes::Planes;
use crate::math::real::{Real, TILE_ROWS};

/// `R = Y - A X` with `A = pilots.forward`; X `[n, M]`, Y and R `[L, M]`.
#[inline(always)]
pub(crate) fn misfit<I: Isa>(
    isa: I,
    pilots: &PackedPilots<f64>,
    y: &Planes<f64>,
    x: &Planes<f64>,
    r: &mut Planes<f64>,
    tile: &mut Planes<f64>,
) {
    let panel = pilots.columns * TILE_ROWS;
    for p in 0..pilots.length.div_ceil(TILE_ROWS) {
        let a = [&pilots.forward[0][p * panel..][..panel], &pilots.forward[1][p * panel..][..panel]];
        for at in (0..y.stride).step_by(f64::LANES) {
            f64::tile(isa, a, x.parts(), y.stride, at, 0..pilots.columns, tile.parts_mut());
            for l in p * TILE_ROWS..pilots.length.min((p + 1) * TILE_ROWS) {
                let (from, to) = ((l % TILE_ROWS) * f64::LANES, l * y.stride + at);
                for j in 0..f64::LANES {
                    r.re[to + j] = y.re[to + j] - tile.re[from + j];
                    r.im[to + j] = y.im[to + j] - tile.im[from + j];
                }
            }
        }
    }
}
