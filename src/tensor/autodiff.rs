//! Hand-written backward passes.

use burn::backend::Autodiff;
use burn::backend::tensor::FloatTensor;
use burn_autodiff::NodeId;
use burn_autodiff::checkpoint::base::Checkpointer;
use burn_autodiff::checkpoint::strategy::CheckpointStrategy;
use burn_autodiff::grads::Gradients;
use burn_autodiff::ops::{Backward, Ops, OpsKind};

use super::entry::EntryPart;
use super::iteration::AmpForm;
use super::ops::Backend;
use super::sweep::SweepRecord;

/// Hands each tracked input its gradient.
fn register<B: Backend, const N: usize>(
    grads: &mut Gradients,
    parents: [Option<NodeId>; N],
    gradients: [FloatTensor<B>; N],
) {
    for (node, gradient) in parents.into_iter().zip(gradients) {
        if let Some(id) = node {
            grads.register::<B>(id, gradient);
        }
    }
}

impl<B: Backend, C: CheckpointStrategy> Backend for Autodiff<B, C> {
    fn row_dot(a: FloatTensor<Self>, b: FloatTensor<Self>, antennas: usize) -> FloatTensor<Self> {
        #[derive(Debug)]
        struct RowDot;
        impl<B: Backend> Backward<B, 2> for RowDot {
            type State = (FloatTensor<B>, FloatTensor<B>, usize);
            fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
                let [na, nb] = ops.parents;
                let g = grads.consume::<B>(&ops.node);
                let (a, b, antennas) = ops.state;
                if let Some(n) = na {
                    grads.register::<B>(n.id, B::row_scale(b, g.clone(), antennas));
                }
                if let Some(n) = nb {
                    grads.register::<B>(n.id, B::row_scale(a, g, antennas));
                }
            }
        }
        let ((a, na), (b, nb)) = (a.into_parts(), b.into_parts());
        match RowDot.prepare::<C>([na, nb]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let out = B::row_dot(a.clone(), b.clone(), antennas);
                prep.finish((a, b, antennas), out)
            }
            OpsKind::UnTracked(prep) => prep.finish(B::row_dot(a, b, antennas)),
        }
    }

    fn row_scale(z: FloatTensor<Self>, c: FloatTensor<Self>, antennas: usize) -> FloatTensor<Self> {
        #[derive(Debug)]
        struct RowScale;
        impl<B: Backend> Backward<B, 2> for RowScale {
            type State = (FloatTensor<B>, FloatTensor<B>, usize);
            fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
                let [nz, nc] = ops.parents;
                let g = grads.consume::<B>(&ops.node);
                let (z, c, antennas) = ops.state;
                if let Some(n) = nc {
                    grads.register::<B>(n.id, B::row_dot(z, g.clone(), antennas));
                }
                if let Some(n) = nz {
                    grads.register::<B>(n.id, B::row_scale(g, c, antennas));
                }
            }
        }
        let ((z, nz), (c, nc)) = (z.into_parts(), c.into_parts());
        match RowScale.prepare::<C>([nz, nc]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let out = B::row_scale(z.clone(), c.clone(), antennas);
                prep.finish((z, c, antennas), out)
            }
            OpsKind::UnTracked(prep) => prep.finish(B::row_scale(z, c, antennas)),
        }
    }

    fn row_onsager(
        z: FloatTensor<Self>,
        t: FloatTensor<Self>,
        r: FloatTensor<Self>,
        antennas: usize,
    ) -> FloatTensor<Self> {
        #[derive(Debug)]
        struct RowOnsager;
        impl<B: Backend> Backward<B, 3> for RowOnsager {
            type State = (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>, usize);
            fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
                let g = grads.consume::<B>(&ops.node);
                let (z, t, r, antennas) = ops.state;
                let (gz, gt, gr) = B::row_onsager_backward(z, t, r, g, antennas);
                register::<B, _>(grads, ops.parents.map(|p| p.map(|node| node.id)), [gz, gt, gr]);
            }
        }
        let ((z, nz), (t, nt), (r, nr)) = (z.into_parts(), t.into_parts(), r.into_parts());
        match RowOnsager.prepare::<C>([nz, nt, nr]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let out = B::row_onsager(z.clone(), t.clone(), r.clone(), antennas);
                prep.finish((z, t, r, antennas), out)
            }
            OpsKind::UnTracked(prep) => prep.finish(B::row_onsager(z, t, r, antennas)),
        }
    }

    fn row_onsager_backward(
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: usize,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        unreachable!("a backward pass runs on the inner backend; second derivatives are not supported")
    }

    fn amp_iteration(
        state: FloatTensor<Self>,
        y: FloatTensor<Self>,
        synthesis: FloatTensor<Self>,
        analysis: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        factors: FloatTensor<Self>,
        theta_1: FloatTensor<Self>,
        form: AmpForm,
    ) -> FloatTensor<Self> {
        #[derive(Debug)]
        struct AmpIteration;
        impl<B: Backend> Backward<B, 7> for AmpIteration {
            /// Inputs, the state after, the pseudo-observations.
            type State = ([FloatTensor<B>; 7], FloatTensor<B>, FloatTensor<B>, AmpForm);
            fn backward(self, ops: Ops<Self::State, 7>, grads: &mut Gradients, _: &mut Checkpointer) {
                let g = grads.consume::<B>(&ops.node);
                let ([state, y, s, a, beta, factors, theta], after, z, form) = ops.state;
                let wanted = [ops.parents[2].is_some(), ops.parents[3].is_some()];
                let (state, y, s, a, beta, factors, theta) =
                    B::amp_iteration_backward(state, y, s, a, beta, factors, theta, after, z, g, form, wanted);
                let gradients = [state, y, s, a, beta, factors, theta];
                register::<B, _>(grads, ops.parents.map(|p| p.map(|node| node.id)), gradients);
            }
        }
        let ((state, n0), (y, n1)) = (state.into_parts(), y.into_parts());
        let ((s, n2), (a, n3)) = (synthesis.into_parts(), analysis.into_parts());
        let ((beta, n4), (factors, n5)) = (beta.into_parts(), factors.into_parts());
        let (theta, n6) = theta_1.into_parts();
        match AmpIteration.prepare::<C>([n0, n1, n2, n3, n4, n5, n6]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let kept = [&state, &y, &s, &a, &beta, &factors, &theta].map(Clone::clone);
                let (after, z) = B::amp_iteration_kept(state, y, s, a, beta, factors, theta, form);
                prep.finish((kept, after.clone(), z, form), after)
            }
            OpsKind::UnTracked(prep) => prep.finish(B::amp_iteration(state, y, s, a, beta, factors, theta, form)),
        }
    }

    fn amp_iteration_kept(
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: AmpForm,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        unreachable!("what gradients need is kept on the inner backend")
    }

    fn amp_iteration_backward(
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: AmpForm,
        _: [bool; 2],
    ) -> (
        FloatTensor<Self>,
        FloatTensor<Self>,
        FloatTensor<Self>,
        FloatTensor<Self>,
        FloatTensor<Self>,
        FloatTensor<Self>,
        FloatTensor<Self>,
    ) {
        unreachable!("a backward pass runs on the inner backend; second derivatives are not supported")
    }

    fn covariance_score(
        gamma: FloatTensor<Self>,
        s: FloatTensor<Self>,
        y: FloatTensor<Self>,
        antennas: usize,
        noise_var: f64,
    ) -> FloatTensor<Self> {
        #[derive(Debug)]
        struct CovarianceScore;
        impl<B: Backend> Backward<B, 3> for CovarianceScore {
            type State = (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>, usize, f64);
            fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
                let g = grads.consume::<B>(&ops.node);
                let (gamma, s, y, antennas, noise_var) = ops.state;
                let (ggamma, gs, gy) = B::covariance_score_backward(gamma, s, y, g, antennas, noise_var);
                register::<B, _>(grads, ops.parents.map(|p| p.map(|node| node.id)), [ggamma, gs, gy]);
            }
        }
        let ((gamma, ng), (s, ns), (y, ny)) = (gamma.into_parts(), s.into_parts(), y.into_parts());
        match CovarianceScore.prepare::<C>([ng, ns, ny]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let out = B::covariance_score(gamma.clone(), s.clone(), y.clone(), antennas, noise_var);
                prep.finish((gamma, s, y, antennas, noise_var), out)
            }
            OpsKind::UnTracked(prep) => prep.finish(B::covariance_score(gamma, s, y, antennas, noise_var)),
        }
    }

    fn covariance_score_backward(
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: usize,
        _: f64,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        unreachable!("a backward pass runs on the inner backend; second derivatives are not supported")
    }

    fn covariance_filter(
        gamma: FloatTensor<Self>,
        s: FloatTensor<Self>,
        y: FloatTensor<Self>,
        antennas: usize,
        noise_var: f64,
    ) -> FloatTensor<Self> {
        #[derive(Debug)]
        struct CovarianceFilter;
        impl<B: Backend> Backward<B, 3> for CovarianceFilter {
            type State = (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>, usize, f64);
            fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
                let g = grads.consume::<B>(&ops.node);
                let (gamma, s, y, antennas, noise_var) = ops.state;
                let (ggamma, gs, gy) = B::covariance_filter_backward(gamma, s, y, g, antennas, noise_var);
                register::<B, _>(grads, ops.parents.map(|p| p.map(|node| node.id)), [ggamma, gs, gy]);
            }
        }
        let ((gamma, ng), (s, ns), (y, ny)) = (gamma.into_parts(), s.into_parts(), y.into_parts());
        match CovarianceFilter.prepare::<C>([ng, ns, ny]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let out = B::covariance_filter(gamma.clone(), s.clone(), y.clone(), antennas, noise_var);
                prep.finish((gamma, s, y, antennas, noise_var), out)
            }
            OpsKind::UnTracked(prep) => prep.finish(B::covariance_filter(gamma, s, y, antennas, noise_var)),
        }
    }

    fn covariance_filter_backward(
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: usize,
        _: f64,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        unreachable!("a backward pass runs on the inner backend; second derivatives are not supported")
    }

    fn group_shrink(z: FloatTensor<Self>, tau: FloatTensor<Self>, antennas: usize) -> FloatTensor<Self> {
        #[derive(Debug)]
        struct GroupShrink;
        impl<B: Backend> Backward<B, 2> for GroupShrink {
            type State = (FloatTensor<B>, FloatTensor<B>, usize);
            fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
                let g = grads.consume::<B>(&ops.node);
                let (z, tau, antennas) = ops.state;
                let (gz, gtau) = B::group_shrink_backward(z, tau, g, antennas);
                register::<B, _>(grads, ops.parents.map(|p| p.map(|node| node.id)), [gz, gtau]);
            }
        }
        let ((z, nz), (tau, nt)) = (z.into_parts(), tau.into_parts());
        match GroupShrink.prepare::<C>([nz, nt]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let out = B::group_shrink(z.clone(), tau.clone(), antennas);
                prep.finish((z, tau, antennas), out)
            }
            OpsKind::UnTracked(prep) => prep.finish(B::group_shrink(z, tau, antennas)),
        }
    }

    fn group_shrink_backward(
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: usize,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        unreachable!("a backward pass runs on the inner backend; second derivatives are not supported")
    }

    fn entry_denoise(
        z: FloatTensor<Self>,
        omega: FloatTensor<Self>,
        a: FloatTensor<Self>,
        offset: FloatTensor<Self>,
        antennas: usize,
        part: EntryPart,
    ) -> FloatTensor<Self> {
        #[derive(Debug)]
        struct EntryDenoise;
        impl<B: Backend> Backward<B, 4> for EntryDenoise {
            type State = ([FloatTensor<B>; 4], usize, EntryPart);
            fn backward(self, ops: Ops<Self::State, 4>, grads: &mut Gradients, _: &mut Checkpointer) {
                let g = grads.consume::<B>(&ops.node);
                let ([z, omega, a, offset], antennas, part) = ops.state;
                let (gz, gw, ga, go) = B::entry_denoise_backward(z, omega, a, offset, g, antennas, part);
                register::<B, _>(grads, ops.parents.map(|p| p.map(|node| node.id)), [gz, gw, ga, go]);
            }
        }
        let ((z, nz), (w, nw)) = (z.into_parts(), omega.into_parts());
        let ((a, na), (o, no)) = (a.into_parts(), offset.into_parts());
        match EntryDenoise.prepare::<C>([nz, nw, na, no]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let out = B::entry_denoise(z.clone(), w.clone(), a.clone(), o.clone(), antennas, part);
                prep.finish(([z, w, a, o], antennas, part), out)
            }
            OpsKind::UnTracked(prep) => prep.finish(B::entry_denoise(z, w, a, o, antennas, part)),
        }
    }

    fn entry_denoise_backward(
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: usize,
        _: EntryPart,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        unreachable!("a backward pass runs on the inner backend; second derivatives are not supported")
    }

    fn coordinate_sweep(
        log_odds: FloatTensor<Self>,
        s: FloatTensor<Self>,
        y: FloatTensor<Self>,
        antennas: usize,
        sweeps: usize,
        noise_var: f64,
    ) -> FloatTensor<Self> {
        #[derive(Debug)]
        struct CoordinateSweep;
        impl<B: Backend> Backward<B, 3> for CoordinateSweep {
            type State = ([FloatTensor<B>; 3], usize, usize, f64, SweepRecord);
            fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
                let g = grads.consume::<B>(&ops.node);
                let ([log_odds, s, y], antennas, sweeps, noise_var, record) = ops.state;
                let all = ops.parents[1].is_some() || ops.parents[2].is_some();
                let (gl, gs, gy) =
                    B::coordinate_sweep_backward(log_odds, s, y, g, antennas, sweeps, noise_var, record, all);
                register::<B, _>(grads, ops.parents.map(|p| p.map(|node| node.id)), [gl, gs, gy]);
            }
        }
        let ((l, nl), (s, ns), (y, ny)) = (log_odds.into_parts(), s.into_parts(), y.into_parts());
        match CoordinateSweep.prepare::<C>([nl, ns, ny]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let (out, record) =
                    B::coordinate_sweep_recorded(l.clone(), s.clone(), y.clone(), antennas, sweeps, noise_var);
                prep.finish(([l, s, y], antennas, sweeps, noise_var, record), out)
            }
            OpsKind::UnTracked(prep) => prep.finish(B::coordinate_sweep(l, s, y, antennas, sweeps, noise_var)),
        }
    }

    fn coordinate_sweep_recorded(
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: usize,
        _: usize,
        _: f64,
    ) -> (FloatTensor<Self>, SweepRecord) {
        unreachable!(
            "a forward pass that keeps a record runs on the inner backend; second derivatives are not supported"
        )
    }

    fn coordinate_sweep_backward(
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: usize,
        _: usize,
        _: f64,
        _: SweepRecord,
        _: bool,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        unreachable!("a backward pass runs on the inner backend; second derivatives are not supported")
    }

    fn conv_same(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        dilation: usize,
        activate: bool,
    ) -> FloatTensor<Self> {
        #[derive(Debug)]
        struct ConvSame;
        impl<B: Backend> Backward<B, 3> for ConvSame {
            type State = (FloatTensor<B>, FloatTensor<B>, usize, bool);
            fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
                let g = grads.consume::<B>(&ops.node);
                let (x, weight, dilation, activate) = ops.state;
                let (gx, gw, gb) = B::conv_same_backward(x, weight, g, dilation, activate);
                register::<B, _>(grads, ops.parents.map(|p| p.map(|node| node.id)), [gx, gw, gb]);
            }
        }
        let ((x, nx), (w, nw), (b, nb)) = (x.into_parts(), weight.into_parts(), bias.into_parts());
        match ConvSame.prepare::<C>([nx, nw, nb]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let out = B::conv_same(x.clone(), w.clone(), b, dilation, activate);
                prep.finish((x, w, dilation, activate), out)
            }
            OpsKind::UnTracked(prep) => prep.finish(B::conv_same(x, w, b, dilation, activate)),
        }
    }

    fn conv_same_backward(
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: usize,
        _: bool,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        unreachable!("a backward pass runs on the inner backend; second derivatives are not supported")
    }

    fn exp_linear(x: FloatTensor<Self>) -> FloatTensor<Self> {
        #[derive(Debug)]
        struct ExpLinear;
        impl<B: Backend> Backward<B, 1> for ExpLinear {
            type State = FloatTensor<B>;
            fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
                let g = grads.consume::<B>(&ops.node);
                let gx = B::exp_linear_backward(ops.state, g);
                register::<B, _>(grads, ops.parents.map(|p| p.map(|node| node.id)), [gx]);
            }
        }
        let (x, nx) = x.into_parts();
        match ExpLinear.prepare::<C>([nx]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish(x.clone(), B::exp_linear(x)),
            OpsKind::UnTracked(prep) => prep.finish(B::exp_linear(x)),
        }
    }

    fn exp_linear_backward(_: FloatTensor<Self>, _: FloatTensor<Self>) -> FloatTensor<Self> {
        unreachable!("a backward pass runs on the inner backend; second derivatives are not supported")
    }

    fn max_pool_same(x: FloatTensor<Self>, side: usize) -> FloatTensor<Self> {
        #[derive(Debug)]
        struct MaxPoolSame;
        impl<B: Backend> Backward<B, 1> for MaxPoolSame {
            type State = (FloatTensor<B>, usize);
            fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
                let g = grads.consume::<B>(&ops.node);
                let (x, side) = ops.state;
                let gx = B::max_pool_same_backward(x, g, side);
                register::<B, _>(grads, ops.parents.map(|p| p.map(|node| node.id)), [gx]);
            }
        }
        let (x, nx) = x.into_parts();
        match MaxPoolSame.prepare::<C>([nx]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((x.clone(), side), B::max_pool_same(x, side)),
            OpsKind::UnTracked(prep) => prep.finish(B::max_pool_same(x, side)),
        }
    }

    fn max_pool_same_backward(_: FloatTensor<Self>, _: FloatTensor<Self>, _: usize) -> FloatTensor<Self> {
        unreachable!("a backward pass runs on the inner backend; second derivatives are not supported")
    }

    fn norm_plus(
        x: FloatTensor<Self>,
        alpha: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        #[derive(Debug)]
        struct NormPlus;
        impl<B: Backend> Backward<B, 4> for NormPlus {
            type State = [FloatTensor<B>; 3];
            fn backward(self, ops: Ops<Self::State, 4>, grads: &mut Gradients, _: &mut Checkpointer) {
                let g = grads.consume::<B>(&ops.node);
                let [x, alpha, gamma] = ops.state;
                let (gx, ga, gg, gb) = B::norm_plus_backward(x, alpha, gamma, g);
                register::<B, _>(grads, ops.parents.map(|p| p.map(|node| node.id)), [gx, ga, gg, gb]);
            }
        }
        let ((x, nx), (a, na)) = (x.into_parts(), alpha.into_parts());
        let ((g, ng), (b, nb)) = (gamma.into_parts(), beta.into_parts());
        match NormPlus.prepare::<C>([nx, na, ng, nb]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let out = B::norm_plus(x.clone(), a.clone(), g.clone(), b);
                prep.finish([x, a, g], out)
            }
            OpsKind::UnTracked(prep) => prep.finish(B::norm_plus(x, a, g, b)),
        }
    }

    fn norm_plus_backward(
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
        _: FloatTensor<Self>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        unreachable!("a backward pass runs on the inner backend; second derivatives are not supported")
    }

    fn dense(
        weight: FloatTensor<Self>,
        x: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        rectify: bool,
    ) -> FloatTensor<Self> {
        #[derive(Debug)]
        struct Dense;
        impl<B: Backend> Backward<B, 3> for Dense {
            type State = (FloatTensor<B>, FloatTensor<B>, Option<FloatTensor<B>>);
            fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
                let g = grads.consume::<B>(&ops.node);
                let (weight, x, out) = ops.state;
                let (g, gb) = match out {
                    Some(out) => B::dense_gate(out, g, true),
                    None => B::dense_gate(g.clone(), g, false),
                };
                let [nw, nx, nb] = ops.parents;
                if let Some(n) = nx {
                    grads.register::<B>(n.id, B::float_matmul(B::float_transpose(weight), g.clone()));
                }
                if let Some(n) = nw {
                    grads.register::<B>(n.id, B::float_matmul(g, B::float_transpose(x)));
                }
                if let Some(n) = nb {
                    grads.register::<B>(n.id, gb);
                }
            }
        }
        let ((w, nw), (x, nx), (b, nb)) = (weight.into_parts(), x.into_parts(), bias.into_parts());
        match Dense.prepare::<C>([nw, nx, nb]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let out = B::dense(w.clone(), x.clone(), b, rectify);
                prep.finish((w, x, rectify.then(|| out.clone())), out)
            }
            OpsKind::UnTracked(prep) => prep.finish(B::dense(w, x, b, rectify)),
        }
    }

    fn dense_gate(_: FloatTensor<Self>, _: FloatTensor<Self>, _: bool) -> (FloatTensor<Self>, FloatTensor<Self>) {
        unreachable!("a backward pass runs on the inner backend; second derivatives are not supported")
    }

    fn quantize_ste(x: FloatTensor<Self>, levels: f64) -> FloatTensor<Self> {
        #[derive(Debug)]
        struct QuantizeSte;
        impl<B: Backend> Backward<B, 1> for QuantizeSte {
            type State = ();
            fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
                let [nx] = ops.parents;
                let g = grads.consume::<B>(&ops.node);
                if let Some(n) = nx {
                    grads.register::<B>(n.id, g);
                }
            }
        }
        let (x, nx) = x.into_parts();
        match QuantizeSte.prepare::<C>([nx]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((), B::quantize_ste(x, levels)),
            OpsKind::UnTracked(prep) => prep.finish(B::quantize_ste(x, levels)),
        }
    }
}
