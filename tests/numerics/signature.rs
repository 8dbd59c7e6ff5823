//! System E: quantiser, encoder, losses and receivers.

use burn::tensor::{DType, Tensor};
use grantfree::detect::{BeamSic, BeamSicOptions, SoftSic, SoftSicOptions};
use grantfree::link::Detector;
use grantfree::link::{FrameBatch, Split, StreamKey};
use grantfree::scenario::Scenario;
use grantfree::scenario::{Fading, NomaConfig, ScenarioConfig, ScenarioKind};
use grantfree::systems::Saved;
use grantfree::systems::signature::{
    DrawTensors, Encoder, ReceiverDetector, ReceiverInfo, ReceiverNet, Sizes, cross_entropy, weighted_mse,
};
use grantfree::systems::signature::{ReceiverConfig, ReceiverForm};
use grantfree::tensor::quantize_ste;
use grantfree::training::Rated;

use super::{cpu, devices, normals, relative, tensor, values};

fn noma(snr_db: f64) -> NomaConfig {
    NomaConfig { snr_db, ..NomaConfig::default() }
}

fn scenario(noma: &NomaConfig) -> Scenario {
    let config = ScenarioConfig { kind: ScenarioKind::Noma, noma: Some(noma.clone()), ..Default::default() };
    Scenario::new(&config, 5, Split::Test).unwrap()
}

fn frames(noma: &NomaConfig, count: usize) -> FrameBatch {
    let s = scenario(noma);
    s.realize(0, count).observe(&s.pilots(0)).unwrap()
}

fn detector(config: &ReceiverConfig, noma: &NomaConfig, batch: &FrameBatch) -> ReceiverDetector {
    let sizes = Sizes::of(noma);
    let net = ReceiverNet::init(config, &sizes, 1, &cpu());
    let info =
        ReceiverInfo { receiver: config.clone(), sizes, parameters: net.trained_parameters(), label: "test".into() };
    ReceiverDetector::new(Saved::new(net, batch.model().pilots().clone(), info), cpu(), "test")
}

#[test]
fn the_quantiser_rounds_clips_and_passes_the_gradient() {
    let x = [-3.7, -2.5, -1.49, -0.5, -0.2, 0.0, 0.49, 0.5, 1.51, 7.0];
    let want = [-2.0, -2.0, -1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 2.0, 2.0];
    for (name, device) in devices() {
        let x32 = tensor(&x, [2, 5], &device, DType::F32);
        assert_eq!(values(quantize_ste(x32.clone(), 2)), want, "{name}");
        // A view that is not contiguous.
        let turned = values(quantize_ste(x32.clone().transpose(), 2).transpose());
        assert_eq!(turned, want, "{name}, transposed");
        let weights = normals(3, 10);
        let tracked = tensor(&x, [2, 5], &device.clone().autodiff(), DType::F32).require_grad();
        let w: Tensor<2> = tensor(&weights, [2, 5], &device, DType::F32);
        let grads = (quantize_ste(tracked.clone(), 2) * w).sum().backward();
        let gradient = values(tracked.grad(&grads).unwrap());
        assert!(relative(&gradient, &weights) < 1e-6, "{name}: the identity");
    }
}

#[test]
fn signatures_are_normalised_integers() {
    let key = StreamKey::new(1, Split::Train, "test");
    for levels in [1, 2, 3] {
        let encoder = Encoder::init(&key, 4, 6, levels, &cpu());
        let entries = values(encoder.entries());
        assert!(entries.iter().all(|e| e.fract() == 0.0 && e.abs() <= f64::from(levels)));
        assert!(entries.iter().any(|e| *e != 0.0));
        let set = encoder.to_host().unwrap();
        for user in 0..6 {
            let norm: f64 = set.column(user).iter().map(|v| v.norm_sqr()).sum();
            assert!((norm - 1.0).abs() < 1e-12, "user {user}: {norm}");
        }
        let device: Vec<f64> = values(encoder.signatures());
        let host: Vec<f64> = (0..48)
            .map(|i| {
                let v = set.at(i / 6 % 4, i % 6);
                if i < 24 { v.re } else { v.im }
            })
            .collect();
        assert!(relative(&device, &host) < 1e-5);
        let prob = NomaConfig::default().activation_prob();
        let want = grantfree::scenario::signatures::weighted_correlation(&set, &prob);
        let found = values(encoder.correlation(&prob))[0];
        assert!((found / want - 1.0).abs() < 1e-4, "{found} and {want}");
    }
    let unquantised = values(Encoder::init(&key, 4, 6, 0, &cpu()).entries());
    assert!(unquantised.iter().any(|e| e.fract() != 0.0));
}

#[test]
fn fairness_vanishes_when_all_users_fare_alike() {
    let device = cpu();
    let zeros = || [Tensor::<2>::zeros([3, 4], &device), Tensor::zeros([3, 4], &device)];
    let even = || [Tensor::<2>::ones([3, 4], &device), Tensor::zeros([3, 4], &device)];
    let weights = [1.0, 2.0, 3.0];
    let value = |t: Tensor<1>| values(t)[0];
    let alike = value(weighted_mse(even(), zeros(), &weights, 5.0));
    assert!((alike - 2.0).abs() < 1e-6, "{alike}");
    // Errors 1, 0, 0: mean 1/3, mean deviation (2/3 + 1/3 + 1/3)/3 = 4/9.
    let odd = [
        tensor(&[1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], [3, 4], &device, DType::F32),
        Tensor::zeros([3, 4], &device),
    ];
    let one = value(weighted_mse(odd, zeros(), &weights, 0.9));
    assert!((one - (1.0 / 3.0 + 0.9 * 4.0 / 9.0)).abs() < 1e-6, "{one}");
    // Certain and right costs nothing, ignorance ln 5.
    let sent = Tensor::<3>::zeros([3, 4, 2], &device);
    let ignorant = value(cross_entropy(Tensor::zeros([3, 4, 2], &device), sent.clone(), &[1.0; 3], 1.0));
    assert!((ignorant - 5.0_f64.ln()).abs() < 1e-5, "{ignorant}");
    let sure = value(cross_entropy(Tensor::full([3, 4, 2], -200.0, &device), sent, &[1.0; 3], 1.0));
    assert!(sure < 1e-5, "{sure}");
}

#[test]
fn draws_and_frames_give_the_receiver_the_same_tensors() {
    let config = noma(10.0);
    let s = scenario(&config);
    let draws = s.realize(0, 5);
    let batch = draws.observe(&s.pilots(0)).unwrap();
    let signatures = grantfree::systems::signature::stack_signatures(&s.pilots(0), &cpu());
    let observed = DrawTensors::new(&draws, &[config.noise_var_at(10.0); 5], &cpu()).observe(signatures.clone());
    let read = grantfree::systems::signature::Observed::from_frames(&batch, signatures, &cpu());
    assert!(relative(&values(observed.y), &values(read.y)) < 1e-5);
    assert!(relative(&values(observed.g), &values(read.g)) < 1e-6);
    assert!(relative(&values(observed.noise_var), &values(read.noise_var)) < 1e-6);
}

/// Scores of decisions, bounded: where a decision is beyond doubt, single precision need not agree on how far.
fn bounded(scores: &[f64]) -> Vec<f64> {
    scores.iter().map(|s| s.clamp(-30.0, 30.0)).collect()
}

#[test]
fn the_untrained_model_driven_receiver_is_classical_soft_sic() {
    // Not in AWGN: there users tie in the order of treatment, and rounding breaks the tie.
    for (fading, snr_db) in [(Fading::Chip, 0.0), (Fading::Chip, 12.0), (Fading::Flat, 10.0)] {
        let config = NomaConfig { fading, ..noma(snr_db) };
        let batch = frames(&config, 64);
        let receiver = ReceiverConfig { rounds: 3, ..ReceiverConfig::default() };
        let learned = detector(&receiver, &config, &batch).detect(&batch).unwrap();
        let reference = SoftSic::new(SoftSicOptions { iterations: 3 }).unwrap().detect(&batch).unwrap();
        let error = relative(&bounded(&learned.score), &bounded(&reference.score));
        assert!(error < 1e-4, "{fading:?} {snr_db}: {error}");
        assert_eq!(learned.activity, reference.activity, "{fading:?} {snr_db}");
    }
}

#[test]
fn a_receiver_decides_alike_on_every_backend_and_refuses_other_frames() {
    let config = noma(15.0);
    let batch = frames(&config, 40);
    for form in [ReceiverForm::Sicnn, ReceiverForm::Fcnn, ReceiverForm::SoftSic] {
        let receiver = ReceiverConfig { form, hidden: Some(vec![24, 12]), rounds: 2, ..ReceiverConfig::default() };
        let sizes = Sizes::of(&config);
        let net = ReceiverNet::init(&receiver, &sizes, 1, &cpu());
        let info = ReceiverInfo { receiver, sizes, parameters: net.trained_parameters(), label: "test".into() };
        let dir = temp_dir::TempDir::new().unwrap();
        let path = dir.path().join("bundle");
        Saved::new(net, batch.model().pilots().clone(), info).save(&path).unwrap();
        let mut first: Option<Vec<i64>> = None;
        for (name, device) in devices() {
            let loaded = Saved::load(&path, &device).unwrap();
            let detector = ReceiverDetector::new(loaded, device, name);
            let activity = detector.detect(&batch).unwrap().activity;
            match &first {
                None => first = Some(activity),
                Some(first) => assert_eq!(first, &activity, "{form:?} on {name}"),
            }
            let other = NomaConfig { users: 5, ..config.clone() };
            let error = detector.detect(&frames(&other, 1)).unwrap_err().to_string();
            assert!(error.contains("6 users"), "{error}");
            let quantised =
                NomaConfig { signatures: grantfree::scenario::SignatureKind::QuantisedWbe, ..config.clone() };
            let error = detector.detect(&frames(&quantised, 1)).unwrap_err().to_string();
            assert!(error.contains("other signatures"), "{error}");
        }
    }
}

#[test]
fn gradients_run_through_all_rounds() {
    use burn::module::{Module, ModuleMapper, Param};
    /// Adds `scale` times a fixed direction to every parameter.
    struct Shift(f64, u64);
    impl ModuleMapper for Shift {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            self.1 += 1;
            let (id, t, mapper) = param.consume();
            let shape = t.dims();
            let direction = normals(self.1, shape.iter().product());
            let direction: Tensor<D> =
                Tensor::from_data(burn::tensor::TensorData::new(direction, shape).convert::<f32>(), &t.device());
            Param::from_mapped_value(id, t.detach() + direction * self.0, mapper)
        }
    }
    let config = noma(8.0);
    let draws = scenario(&config).realize(0, 48);
    let draws = DrawTensors::new(&draws, &[config.noise_var_at(8.0); 48], &cpu());
    let receiver =
        ReceiverConfig { rounds: 3, hidden: Some(vec![8]), levels: 0, learn_signatures: true, ..Default::default() };
    let sizes = Sizes::of(&config);
    let alphabet = sizes.alphabet();
    let loss = |net: &ReceiverNet| {
        let observed = draws.observe(net.encoder.as_ref().unwrap().signatures());
        match net.forward(&observed, &alphabet) {
            grantfree::systems::signature::ReceiverOutput::Logits(rounds) => {
                cross_entropy(rounds.last().unwrap().clone(), draws.sent.clone(), &[1.0; 6], 0.3)
            }
            grantfree::systems::signature::ReceiverOutput::Estimate(_) => unreachable!(),
        }
    };
    // Away from the zero output layer, where the hidden layers have no gradient.
    let net = ReceiverNet::init(&receiver, &sizes, 1, &cpu()).map(&mut Shift(0.02, 0));
    // Larger steps move a parameter vector of this length across kinks.
    let step = 1e-4;
    let up = values(loss(&net.clone().map(&mut Shift(step, 100))))[0];
    let down = values(loss(&net.clone().map(&mut Shift(-step, 100))))[0];
    let numeric = (up - down) / (2.0 * step);
    let tracked = net.train();
    let mut grads = loss(&tracked).backward();
    /// Inner product of the gradient with the direction of [`Shift`].
    struct Along<'a>(&'a mut burn::tensor::Gradients, u64, f64);
    impl burn::module::ModuleVisitor for Along<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.1 += 1;
            let t = param.val();
            let gradient = values(t.grad_remove(self.0).expect("every parameter has a gradient"));
            let direction = normals(self.1, gradient.len());
            self.2 += gradient.iter().zip(&direction).map(|(g, d)| g * d).sum::<f64>();
        }
    }
    let mut along = Along(&mut grads, 100, 0.0);
    tracked.visit(&mut along);
    assert!((along.2 / numeric - 1.0).abs() < 0.02, "{} by backward, {numeric} by differences", along.2);
}

#[test]
fn without_noise_and_interference_no_receiver_errs() {
    // One user in AWGN: the posterior is exact.
    let config = NomaConfig { users: 1, fading: Fading::Awgn, ..noma(40.0) };
    let batch = frames(&NomaConfig { signature_length: 1, ..config.clone() }, 200);
    let config = NomaConfig { signature_length: 1, ..config };
    let decided = detector(&ReceiverConfig::default(), &config, &batch).detect(&batch).unwrap();
    assert_eq!(decided.activity, batch.truth().unwrap().activity());
}

#[test]
fn an_untrained_beam_metric_is_beam_sic_and_its_bundle_keeps_what_it_learned() {
    use burn::module::{Module, ModuleMapper, Param};
    use grantfree::systems::signature::beam::{BeamDetector, BeamNet};
    /// Sets every parameter to one number.
    struct Fill(f64);
    impl ModuleMapper for Fill {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let (id, t, mapper) = param.consume();
            Param::from_mapped_value(id, t.zeros_like() + self.0, mapper)
        }
    }
    let config = noma(12.0);
    let batch = frames(&config, 300);
    let key = StreamKey::new(1, Split::Train, "test");
    let net = BeamNet::init(&key, 6, &[], &cpu());
    let signatures = batch.model().pilots().clone();
    let receiver =
        ReceiverConfig { form: ReceiverForm::BeamMetric, beam: 3, hidden: Some(Vec::new()), ..Default::default() };
    let untrained = BeamDetector::new(&net, &receiver).unwrap().detect(&batch).unwrap();
    let classical =
        |window: f64| BeamSic::new(BeamSicOptions { beam: 3, window: Some(window) }).unwrap().detect(&batch).unwrap();
    assert_eq!(untrained, classical(receiver.window()));
    assert_ne!(untrained, classical(0.5), "a narrow window drops hypotheses that matter");

    // Another metric decides otherwise, and its bundle decides like it.
    let net = net.map(&mut Fill(-0.5));
    let learned = BeamDetector::new(&net, &receiver).unwrap().detect(&batch).unwrap();
    assert_ne!(learned.activity, untrained.activity);
    let info = ReceiverInfo { receiver, sizes: Sizes::of(&config), parameters: 30, label: "test".into() };
    let dir = temp_dir::TempDir::new().unwrap();
    let path = dir.path().join("bundle");
    Saved::new(net, signatures, info).save(&path).unwrap();
    for (name, device) in devices() {
        let loaded = Saved::<BeamNet>::load(&path, &device).unwrap();
        let detector = BeamDetector::new(&loaded.net, &loaded.info.receiver).unwrap();
        assert_eq!(detector.detect(&batch).unwrap().activity, learned.activity, "{name}");
        let error = detector.detect(&frames(&NomaConfig { users: 5, ..config.clone() }, 1)).unwrap_err().to_string();
        assert!(error.contains("6 users"), "{error}");
    }
}
