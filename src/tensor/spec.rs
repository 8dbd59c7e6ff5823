//! Default bodies: every kernel in burn primitives. They are the specification of the fast ones.

use burn::backend::TensorMetadata;
use burn::backend::tensor::FloatTensor;
use burn::tensor::Shape;

/// Rows (frames * antennas), columns of a 2-D tensor.
fn dims<B: burn::backend::Backend>(t: &FloatTensor<B>) -> (usize, usize) {
    let shape = t.shape();
    (shape[0], shape[1])
}

/// `[F*M, 2K]` seen as `[F, M, 2, K]`.
fn unfold<B: burn::backend::Backend>(t: FloatTensor<B>, antennas: usize) -> FloatTensor<B> {
    let (rows, columns) = dims::<B>(&t);
    B::float_reshape(t, Shape::new([rows / antennas, antennas, 2, columns / 2]))
}

pub(super) fn row_dot<B: burn::backend::Backend>(
    a: FloatTensor<B>,
    b: FloatTensor<B>,
    antennas: usize,
) -> FloatTensor<B> {
    let (rows, columns) = dims::<B>(&a);
    let product = unfold::<B>(B::float_mul(a, b), antennas);
    let sum = B::float_sum_dim(B::float_sum_dim(product, 1), 2);
    B::float_reshape(sum, Shape::new([rows / antennas, columns / 2]))
}

pub(super) fn row_scale<B: burn::backend::Backend>(
    z: FloatTensor<B>,
    c: FloatTensor<B>,
    antennas: usize,
) -> FloatTensor<B> {
    let (rows, columns) = dims::<B>(&z);
    let (frames, k) = (rows / antennas, columns / 2);
    let weights =
        B::float_expand(B::float_reshape(c, Shape::new([frames, 1, 1, k])), Shape::new([frames, antennas, 2, k]));
    B::float_reshape(B::float_mul(unfold::<B>(z, antennas), weights), Shape::new([rows, columns]))
}

/// Real and imaginary planes of a stacked array, each `[F, M, K]`.
fn planes<B: burn::backend::Backend>(t: FloatTensor<B>, antennas: usize) -> (FloatTensor<B>, FloatTensor<B>) {
    let (rows, columns) = dims::<B>(&t);
    let (frames, k) = (rows / antennas, columns / 2);
    let t = unfold::<B>(t, antennas);
    let plane = |i: usize| {
        let all = |n: usize| burn::tensor::Slice::from(0..n);
        let part = B::float_slice(t.clone(), &[all(frames), all(antennas), (i..i + 1).into(), all(k)]);
        B::float_reshape(part, Shape::new([frames, antennas, k]))
    };
    (plane(0), plane(1))
}

/// Stacks two `[F, M, K]` planes to `[F*M, 2K]`.
fn stack<B: burn::backend::Backend>(re: FloatTensor<B>, im: FloatTensor<B>) -> FloatTensor<B> {
    let shape = re.shape();
    let (frames, antennas, k) = (shape[0], shape[1], shape[2]);
    B::float_reshape(B::float_cat(vec![re, im], 2), Shape::new([frames * antennas, 2 * k]))
}

/// `a b^H` of two complex batches given as planes: `[F, M, K] x [F, M', K] -> [F, M, M']`.
fn times_hermitian<B: burn::backend::Backend>(
    (ar, ai): (FloatTensor<B>, FloatTensor<B>),
    (br, bi): (FloatTensor<B>, FloatTensor<B>),
) -> (FloatTensor<B>, FloatTensor<B>) {
    let t = |x: &FloatTensor<B>| B::float_swap_dims(x.clone(), 1, 2);
    let mm = |x: &FloatTensor<B>, y: FloatTensor<B>| B::float_matmul(x.clone(), y);
    (B::float_add(mm(&ar, t(&br)), mm(&ai, t(&bi))), B::float_sub(mm(&ai, t(&br)), mm(&ar, t(&bi))))
}

/// `a b` of two complex batches given as planes.
fn times<B: burn::backend::Backend>(
    (ar, ai): (FloatTensor<B>, FloatTensor<B>),
    (br, bi): (FloatTensor<B>, FloatTensor<B>),
) -> (FloatTensor<B>, FloatTensor<B>) {
    let mm = |x: &FloatTensor<B>, y: &FloatTensor<B>| B::float_matmul(x.clone(), y.clone());
    (B::float_sub(mm(&ar, &br), mm(&ai, &bi)), B::float_add(mm(&ar, &bi), mm(&ai, &br)))
}

/// `J = sum_k t_k z_k z_k^H` as planes `[F, M, M]`.
fn jacobian<B: burn::backend::Backend>(
    z: FloatTensor<B>,
    t: FloatTensor<B>,
    antennas: usize,
) -> (FloatTensor<B>, FloatTensor<B>) {
    let scaled = row_scale::<B>(z.clone(), t, antennas);
    times_hermitian::<B>(planes::<B>(scaled, antennas), planes::<B>(z, antennas))
}

pub(super) fn row_onsager<B: burn::backend::Backend>(
    z: FloatTensor<B>,
    t: FloatTensor<B>,
    r: FloatTensor<B>,
    antennas: usize,
) -> FloatTensor<B> {
    let (re, im) = times::<B>(jacobian::<B>(z, t, antennas), planes::<B>(r, antennas));
    stack::<B>(re, im)
}

/// `P = G r^H`, `H = P + P^H`: `g_z = t H z`, `g_t = z^H H z / 2`, `g_r = J G`.
pub(super) fn row_onsager_backward<B: burn::backend::Backend>(
    z: FloatTensor<B>,
    t: FloatTensor<B>,
    r: FloatTensor<B>,
    g: FloatTensor<B>,
    antennas: usize,
) -> (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>) {
    let g_planes = planes::<B>(g, antennas);
    let (gr_re, gr_im) = times::<B>(jacobian::<B>(z.clone(), t.clone(), antennas), g_planes.clone());
    let (pr, pi) = times_hermitian::<B>(g_planes, planes::<B>(r, antennas));
    let hr = B::float_add(pr.clone(), B::float_swap_dims(pr, 1, 2));
    let hi = B::float_sub(pi.clone(), B::float_swap_dims(pi, 1, 2));
    let (re, im) = times::<B>((hr, hi), planes::<B>(z.clone(), antennas));
    let hz = stack::<B>(re, im);
    let gt = B::float_mul_scalar(row_dot::<B>(z, hz.clone(), antennas), 0.5.into());
    (row_scale::<B>(hz, t, antennas), gt, stack::<B>(gr_re, gr_im))
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use burn::backend::{Flex, read_sync};
    use burn::tensor::TensorData;

    use super::super::ops::Backend as Fused;
    use super::*;

    fn numbers(seed: usize, shape: [usize; 2]) -> FloatTensor<Flex> {
        let value = |i: usize| (((i * 37 + seed * 101) * 7919) % 1009) as f64 / 504.5 - 1.0;
        let data: Vec<f64> = (0..shape[0] * shape[1]).map(value).collect();
        FloatTensor::<Flex>::from_data(TensorData::new(data, shape))
    }

    fn assert_same(name: &str, fast: FloatTensor<Flex>, spec: FloatTensor<Flex>) {
        use burn::backend::ops::FloatTensorOps;
        assert_eq!(fast.shape(), spec.shape(), "{name}");
        let read = |t| read_sync(<Flex as FloatTensorOps<Flex>>::float_into_data(t)).unwrap();
        let (fast, spec) = (read(fast), read(spec));
        for (a, b) in fast.iter::<f64>().zip(spec.iter::<f64>()) {
            assert!((a - b).abs() < 1e-12, "{name}: {a} {b}");
        }
    }

    #[test]
    fn fast_row_kernels_are_the_specification() {
        let (m, z, t, r, g) = (3, numbers(1, [6, 14]), numbers(2, [2, 7]), numbers(3, [6, 10]), numbers(4, [6, 10]));
        let c = || (z.clone(), t.clone());
        assert_same("row_dot", Flex::row_dot(z.clone(), z.clone(), m), row_dot::<Flex>(z.clone(), z.clone(), m));
        assert_same("row_scale", Flex::row_scale(c().0, c().1, m), row_scale::<Flex>(c().0, c().1, m));
        let fast = Flex::row_onsager(c().0, c().1, r.clone(), m);
        assert_same("row_onsager", fast, row_onsager::<Flex>(c().0, c().1, r.clone(), m));
        let fast = Flex::row_onsager_backward(c().0, c().1, r.clone(), g.clone(), m);
        let spec = row_onsager_backward::<Flex>(c().0, c().1, r, g, m);
        for (fast, spec) in [(fast.0, spec.0), (fast.1, spec.1), (fast.2, spec.2)] {
            assert_same("row_onsager_backward", fast, spec);
        }
    }
}

pub(super) fn quantize_ste<B: burn::backend::Backend>(x: FloatTensor<B>, levels: f64) -> FloatTensor<B> {
    let nearest = B::float_floor(B::float_add_scalar(x, 0.5.into()));
    B::float_clamp(nearest, (-levels).into(), levels.into())
}
