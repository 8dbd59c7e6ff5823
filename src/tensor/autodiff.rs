//! Kernels on tracked tensors: what each records for the backward pass, and its adjoint.

use std::fmt::{self, Debug, Formatter};
use std::marker::PhantomData;

use burn::backend::Autodiff;
use burn::backend::tensor::FloatTensor;
use burn_autodiff::checkpoint::base::Checkpointer;
use burn_autodiff::checkpoint::strategy::CheckpointStrategy;
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops, OpsKind};

use super::backend::{Adjoint, Backend};
use super::ops::sweep::SweepRecord;
use super::ops::{AmpInputs, CovarianceInputs, EntryInputs, SweepInputs};

/// A node of the graph: its adjoint turns the record R and the gradient of the result into the gradients of the N parents
/// that want one.
struct Node<R, A>(A, PhantomData<fn() -> R>);

impl<R, A> Debug for Node<R, A> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(std::any::type_name::<A>())
    }
}

impl<B, R, A, const N: usize> Backward<B, N> for Node<R, A>
where
    B: Backend,
    R: Clone + Send + Debug + 'static,
    A: FnOnce(R, FloatTensor<B>, [bool; N]) -> [Option<FloatTensor<B>>; N] + Send + 'static,
{
    type State = R;

    fn backward(self, ops: Ops<R, N>, grads: &mut Gradients, _: &mut Checkpointer) {
        let g = grads.consume::<B>(&ops.node);
        let wanted = ops.parents.each_ref().map(Option::is_some);
        for (parent, gradient) in ops.parents.into_iter().zip((self.0)(ops.state, g, wanted)) {
            if let (Some(parent), Some(gradient)) = (parent, gradient) {
                grads.register::<B>(parent.id, gradient);
            }
        }
    }
}

/// The result of a kernel: `plain` where no parent is tracked, else that of `recorded` with the record that `adjoint`
/// starts from.
fn kernel<B: Backend, C: CheckpointStrategy, R: Clone + Send + Debug + 'static, const N: usize>(
    parents: [FloatTensor<Autodiff<B, C>>; N],
    plain: impl FnOnce([FloatTensor<B>; N]) -> FloatTensor<B>,
    recorded: impl FnOnce([FloatTensor<B>; N]) -> (FloatTensor<B>, R),
    adjoint: impl FnOnce(R, FloatTensor<B>, [bool; N]) -> [Option<FloatTensor<B>>; N] + Send + 'static,
) -> FloatTensor<Autodiff<B, C>> {
    let nodes = parents.each_ref().map(|parent| parent.node());
    let parents = parents.map(|parent| parent.into_primitive());
    match Node(adjoint, PhantomData).prepare::<C>(nodes).compute_bound().stateful() {
        OpsKind::Tracked(prepared) => {
            let (result, record) = recorded(parents);
            prepared.finish(record, result)
        }
        OpsKind::UnTracked(prepared) => prepared.finish(plain(parents)),
    }
}

/// A [`kernel`] that records its parents.
fn of_parents<B: Backend, C: CheckpointStrategy, const N: usize>(
    parents: [FloatTensor<Autodiff<B, C>>; N],
    forward: impl Fn([FloatTensor<B>; N]) -> FloatTensor<B>,
    adjoint: impl FnOnce([FloatTensor<B>; N], FloatTensor<B>, [bool; N]) -> [Option<FloatTensor<B>>; N] + Send + 'static,
) -> FloatTensor<Autodiff<B, C>> {
    kernel::<B, C, _, N>(parents, &forward, |parents| (forward(parents.clone()), parents), adjoint)
}

impl<B: Adjoint, C: CheckpointStrategy> Backend for Autodiff<B, C> {
    fn row_dot(a: FloatTensor<Self>, b: FloatTensor<Self>, antennas: usize) -> FloatTensor<Self> {
        of_parents::<B, C, _>(
            [a, b],
            |[a, b]| B::row_dot(a, b, antennas),
            move |[a, b], g, [by_a, by_b]| {
                let by_a = by_a.then(|| B::row_scale(b, g.clone(), antennas));
                [by_a, by_b.then(|| B::row_scale(a, g, antennas))]
            },
        )
    }

    fn row_scale(z: FloatTensor<Self>, c: FloatTensor<Self>, antennas: usize) -> FloatTensor<Self> {
        of_parents::<B, C, _>(
            [z, c],
            |[z, c]| B::row_scale(z, c, antennas),
            move |[z, c], g, [by_z, by_c]| {
                let by_c = by_c.then(|| B::row_dot(z, g.clone(), antennas));
                [by_z.then(|| B::row_scale(g, c, antennas)), by_c]
            },
        )
    }

    fn row_onsager(
        z: FloatTensor<Self>,
        t: FloatTensor<Self>,
        r: FloatTensor<Self>,
        antennas: usize,
    ) -> FloatTensor<Self> {
        of_parents::<B, C, _>(
            [z, t, r],
            |[z, t, r]| B::row_onsager(z, t, r, antennas),
            move |[z, t, r], g, _| B::row_onsager_backward(z, t, r, g, antennas).map(Some),
        )
    }

    fn amp_iteration(inputs: AmpInputs<Self>) -> FloatTensor<Self> {
        let (parents, constants) = inputs.split();
        let join = move |parents| AmpInputs::<B>::join(parents, constants);
        kernel::<B, C, _, _>(
            parents,
            |parents| B::amp_iteration(join(parents)),
            |parents| {
                let [state, z] = B::amp_iteration_recorded(join(parents.clone()));
                (state.clone(), (parents, [state, z]))
            },
            move |(parents, outputs), g, wanted| {
                let [_, _, by_synthesis, by_analysis, ..] = wanted;
                B::amp_iteration_backward(join(parents), outputs, g, [by_synthesis, by_analysis]).map(Some)
            },
        )
    }

    fn covariance_score(inputs: CovarianceInputs<Self>) -> FloatTensor<Self> {
        let (parents, constants) = inputs.split();
        let join = move |parents| CovarianceInputs::<B>::join(parents, constants);
        of_parents::<B, C, _>(
            parents,
            |parents| B::covariance_score(join(parents)),
            move |parents, g, _| B::covariance_score_backward(join(parents), g).map(Some),
        )
    }

    fn covariance_filter(inputs: CovarianceInputs<Self>) -> FloatTensor<Self> {
        let (parents, constants) = inputs.split();
        let join = move |parents| CovarianceInputs::<B>::join(parents, constants);
        of_parents::<B, C, _>(
            parents,
            |parents| B::covariance_filter(join(parents)),
            move |parents, g, _| B::covariance_filter_backward(join(parents), g).map(Some),
        )
    }

    fn group_shrink(z: FloatTensor<Self>, tau: FloatTensor<Self>, antennas: usize) -> FloatTensor<Self> {
        of_parents::<B, C, _>(
            [z, tau],
            |[z, tau]| B::group_shrink(z, tau, antennas),
            move |[z, tau], g, _| B::group_shrink_backward(z, tau, g, antennas).map(Some),
        )
    }

    fn coordinate_sweep(inputs: SweepInputs<Self>) -> FloatTensor<Self> {
        let (parents, constants) = inputs.split();
        let join = move |parents| SweepInputs::<B>::join(parents, constants);
        kernel::<B, C, ([FloatTensor<B>; 3], SweepRecord), _>(
            parents,
            |parents| B::coordinate_sweep(join(parents)),
            |parents| {
                let (powers, record) = B::coordinate_sweep_recorded(join(parents.clone()));
                (powers, (parents, record))
            },
            move |(parents, record), g, [_, by_s, by_y]| {
                B::coordinate_sweep_backward(join(parents), &record, g, by_s || by_y).map(Some)
            },
        )
    }

    fn entry_denoise(inputs: EntryInputs<Self>) -> FloatTensor<Self> {
        let (parents, constants) = inputs.split();
        let join = move |parents| EntryInputs::<B>::join(parents, constants);
        of_parents::<B, C, _>(
            parents,
            |parents| B::entry_denoise(join(parents)),
            move |parents, g, _| B::entry_denoise_backward(join(parents), g).map(Some),
        )
    }

    fn conv_same(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        dilation: usize,
        activate: bool,
    ) -> FloatTensor<Self> {
        of_parents::<B, C, _>(
            [x, weight, bias],
            |[x, weight, bias]| B::conv_same(x, weight, bias, dilation, activate),
            move |[x, weight, _], g, _| B::conv_same_backward(x, weight, g, dilation, activate).map(Some),
        )
    }

    fn exp_linear(x: FloatTensor<Self>) -> FloatTensor<Self> {
        of_parents::<B, C, _>([x], |[x]| B::exp_linear(x), |[x], g, _| [Some(B::exp_linear_backward(x, g))])
    }

    fn max_pool_same(x: FloatTensor<Self>, side: usize) -> FloatTensor<Self> {
        of_parents::<B, C, _>(
            [x],
            |[x]| B::max_pool_same(x, side),
            move |[x], g, _| [Some(B::max_pool_same_backward(x, g, side))],
        )
    }

    fn norm_plus(
        x: FloatTensor<Self>,
        alpha: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        of_parents::<B, C, _>(
            [x, alpha, gamma, beta],
            |[x, alpha, gamma, beta]| B::norm_plus(x, alpha, gamma, beta),
            |[x, alpha, gamma, _], g, _| B::norm_plus_backward(x, alpha, gamma, g).map(Some),
        )
    }

    fn dense(
        weight: FloatTensor<Self>,
        x: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        rectify: bool,
    ) -> FloatTensor<Self> {
        kernel::<B, C, _, _>(
            [weight, x, bias],
            |[weight, x, bias]| B::dense(weight, x, bias, rectify),
            |[weight, x, bias]| {
                let out = B::dense(weight.clone(), x.clone(), bias, rectify);
                (out.clone(), (weight, x, rectify.then_some(out)))
            },
            |(weight, x, out), g, [by_weight, by_x, _]| {
                let [g, by_bias] = match out {
                    Some(out) => B::dense_gate(out, g, true),
                    None => B::dense_gate(g.clone(), g, false),
                };
                let by_x = by_x.then(|| B::float_matmul(B::float_transpose(weight), g.clone()));
                [by_weight.then(|| B::float_matmul(g, B::float_transpose(x))), by_x, Some(by_bias)]
            },
        )
    }

    fn quantize_ste(x: FloatTensor<Self>, levels: f64) -> FloatTensor<Self> {
        let forward = |[x]: [FloatTensor<B>; 1]| B::quantize_ste(x, levels);
        kernel::<B, C, (), 1>([x], forward, |x| (forward(x), ()), |(), g, _| [Some(g)])
    }
}
