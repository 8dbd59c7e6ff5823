//! Every instruction set that this processor has against plain arithmetic, bit for bit.

use num_complex::Complex64;

use super::*;
use crate::math::inverse::{InverseCovariance, Observation};
use crate::math::lanes::ComplexLanes;
use crate::math::planes::{Planes, pack};

/// Fused arithmetic without any instruction for it: what all tiers that fuse must equal bit for bit.
#[derive(Clone, Copy)]
struct Software;

impl Isa for Software {
    const FUSED: bool = true;
}

impl<V: Lanes> Vectors<V> for Software {
    #[inline(always)]
    fn madd(self, x: V, a: V, b: V) -> V {
        madd_loop(self, x, a, b)
    }
}

/// Runs the work on every instruction set that this processor has, the best last.
fn on_every_tier<K: Kernel + Copy>(kernel: K) {
    kernel.run(Scalar);
    #[cfg(target_arch = "aarch64")]
    if let Some(isa) = Neon::try_new() {
        isa.vectorize(|| kernel.run(isa));
    }
    #[cfg(target_arch = "x86_64")]
    if let Some(isa) = V3::try_new() {
        isa.vectorize(|| kernel.run(isa));
    }
    #[cfg(target_arch = "x86_64")]
    if let Some(isa) = V4::try_new() {
        isa.vectorize(|| kernel.run(isa));
    }
    dispatch(kernel);
}

/// A number in `[-1, 1]` that fills its mantissa.
fn number(seed: usize) -> f64 {
    (seed as f64 * 0.618_033_988_749_894_9).fract() * 2.0 - 1.0
}

fn bits<V: Lanes>(v: V) -> Vec<u64> {
    v.lanes().iter().map(|v| v.wide().to_bits()).collect()
}

#[test]
fn every_tier_computes_in_each_lane_what_it_computes_of_a_number_alone() {
    #[derive(Clone, Copy)]
    struct Check;
    fn check<V: Lanes, I: Isa>(isa: I) {
        let vector = |seed: usize| {
            let mut v = V::ZERO;
            v.lanes_mut().iter_mut().enumerate().for_each(|(j, v)| *v = V::Number::of(number(seed + j)));
            v
        };
        let (x, a, b) = (vector(1), vector(101), vector(201));
        let mut want = b;
        for (j, want) in want.lanes_mut().iter_mut().enumerate() {
            let (x, a) = (x.lanes()[j], a.lanes()[j]);
            *want = if I::FUSED { x.fused(a, *want) } else { x * a + *want };
        }
        assert_eq!(bits(x.madd(isa, a, b)), bits(want));
        // A mask keeps where it is not zero, what is no number included, and drops infinities.
        let (mut kept, mut mask, mut want) = (x, V::splat(V::Number::ONE), x);
        for (j, m) in [0.0, -0.0, f64::NAN].into_iter().enumerate() {
            mask.lanes_mut()[j] = V::Number::of(m);
            kept.lanes_mut()[j] = V::Number::of([f64::INFINITY, f64::NAN, 0.5][j]);
            want.lanes_mut()[j] = V::Number::of([0.0, 0.0, 0.5][j]);
        }
        assert_eq!(bits(kept.masked(isa, mask)), bits(want));
    }
    impl Kernel for Check {
        #[inline(always)]
        fn run<I: Isa>(self, isa: I) {
            check::<F8, I>(isa);
            check::<F16, I>(isa);
            check::<D4, I>(isa);
            check::<D8, I>(isa);
        }
    }
    on_every_tier(Check);
}

/// Results of the inner loops on numbers that follow from the sizes.
#[inline(always)]
fn loops<T: Real, V: Lanes<Number = f64>, I: Isa>(isa: I) -> Vec<u64> {
    let (length, columns, antennas) = (7, 11, 3);
    let entry = |seed: usize| {
        move |r: usize, c: usize| Complex64::new(number(seed + 31 * r + c), number(seed + 17 * r + 5 * c))
    };
    let data = |rows: usize, width: usize, seed: usize| -> Vec<Complex64> {
        (0..rows * width).map(|i| entry(seed)(i / width, i % width)).collect()
    };
    let mut out = Vec::new();
    let mut a = Planes::<T>::zeros(columns, length, 2 * T::LANES);
    a.load(&data(columns, length, 3), length, 1.0);
    let mut inverse = InverseCovariance::<T>::new(length, 0.3);
    inverse.rebuild(isa, &a, &vec![0.7; columns]);
    let mut observation = Observation::<T>::new(length, antennas);
    observation.load(&data(length, antennas, 5), antennas);
    for i in 0..columns {
        out.push(inverse.apply(isa, a.row(i)).to_bits());
        out.push(observation.power(isa, inverse.v.parts()).to_bits());
    }
    let packed = pack::<T>(4, columns, entry(9));
    let mut tile = [vec![T::ZERO; 4 * T::LANES], vec![T::ZERO; 4 * T::LANES]];
    let [re, im] = &mut tile;
    T::tile(isa, [&packed[0], &packed[1]], a.parts(), a.stride, 0, 0..columns, [re, im]);
    out.extend(tile.iter().flatten().map(|v| v.wide().to_bits()));
    let lanes = |seed: usize| ComplexLanes { re: V::splat(number(seed)), im: V::splat(number(seed + 1)) };
    let (sum, x, y) = (lanes(40), lanes(50), lanes(60));
    for z in [sum.plus_product(isa, x, y), sum.plus_conjugate_product(isa, x, y), sum.plus_scaled(isa, x.re, y)] {
        out.extend(bits(z.re).into_iter().chain(bits(z.im)).take(1));
    }
    out.extend(bits(x.plus_energy(isa, x.plus_real_product(isa, y, sum.re))).into_iter().take(1));
    out
}

#[test]
fn tiers_that_fuse_agree_bit_for_bit_whatever_their_vectors() {
    #[derive(Clone, Copy)]
    struct Loops;
    impl Kernel for Loops {
        #[inline(always)]
        fn run<I: Isa>(self, isa: I) {
            let (double, single) = (loops::<f64, D4, I>(isa), loops::<f32, D8, I>(isa));
            if I::FUSED {
                assert_eq!(double, loops::<f64, D8, Software>(Software));
                assert_eq!(single, loops::<f32, D4, Software>(Software));
            } else {
                assert_ne!(double, loops::<f64, D8, Software>(Software), "nothing here shows what fusing does");
            }
        }
    }
    on_every_tier(Loops);
}
