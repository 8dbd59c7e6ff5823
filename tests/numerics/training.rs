//! Training lowers the loss, trains only what a phase names, and resumes to the same weights.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use grantfree::scenario::{PilotKind, ScenarioConfig};
use grantfree::systems::mampnet::{MampNet, MampTask};
use grantfree::systems::mampnet::{ModelConfig, ModelForm};
use grantfree::systems::named_tensors;
use grantfree::training::{Parameter, PhaseConfig, PhaseKind, TrainingConfig, parameters};
use grantfree::training::{TrainEvent, TrainObserver, TrainStop, TrainTask, train};

use super::cpu;

fn phase(kind: PhaseKind, steps: u64) -> PhaseConfig {
    PhaseConfig { kind, steps, lr: 1e-3, scalar_lr: 1e-2, pilot_lr: 1e-3, cosine: true, auxiliary: 0.1 }
}

fn task(model: ModelConfig, phases: Vec<PhaseConfig>) -> MampTask {
    let scenario = ScenarioConfig {
        devices: 12,
        antennas: 2,
        pilot_length: 10,
        pilots: PilotKind::Gaussian,
        ..ScenarioConfig::default()
    };
    let training =
        TrainingConfig { batch: 16, validation_frames: 64, validation_every: 5, phases, ..TrainingConfig::default() };
    MampTask::new("test", &scenario, 5, &model, &training, &cpu()).unwrap()
}

fn run(task: &MampTask, dir: &Path) -> MampNet {
    let outcome = train(task, dir, &(), &AtomicBool::new(false)).unwrap();
    assert_eq!(outcome.stop, TrainStop::Finished);
    outcome.net
}

/// Sets the flag after a number of steps.
struct StopAfter<'a>(AtomicU64, &'a AtomicBool);

impl TrainObserver for StopAfter<'_> {
    fn on_event(&self, event: &TrainEvent<'_>) {
        if let TrainEvent::Step { .. } = event
            && self.0.fetch_sub(1, Ordering::SeqCst) == 1
        {
            self.1.store(true, Ordering::SeqCst);
        }
    }
}

fn schedules() -> Vec<(ModelConfig, Vec<PhaseConfig>)> {
    let all = || vec![phase(PhaseKind::LayerWise, 4), phase(PhaseKind::Refinement, 4), phase(PhaseKind::Joint, 12)];
    vec![
        (ModelConfig { layers: 2, covariance_layers: 1, learn_pilots: true, ..ModelConfig::default() }, all()),
        (ModelConfig { form: ModelForm::Paper, layers: 2, ..ModelConfig::default() }, all()),
    ]
}

#[test]
fn a_run_that_is_stopped_at_any_step_resumes_to_the_same_weights() {
    for (model, phases) in schedules() {
        let whole = task(model, phases);
        let dir = temp_dir::TempDir::new().unwrap();
        let want = named_tensors(&run(&whole, &dir.path().join("whole"))).unwrap();
        let stopped = dir.path().join("stopped");
        let mut interruptions = 0;
        let got = loop {
            let flag = AtomicBool::new(false);
            let outcome = train(&whole, &stopped, &StopAfter(AtomicU64::new(7), &flag), &flag).unwrap();
            if outcome.stop == TrainStop::Finished {
                break named_tensors(&outcome.net).unwrap();
            }
            interruptions += 1;
        };
        assert!(interruptions >= 2);
        // Not assert_eq!: a failure would print every weight.
        assert!(want == got, "the resumed run ends with other weights");
    }
}

#[test]
fn a_checkpoint_of_another_run_is_refused() {
    let dir = temp_dir::TempDir::new().unwrap();
    let (model, phases) = schedules().remove(0);
    run(&task(model.clone(), vec![phase(PhaseKind::Joint, 2)]), dir.path().join("c").as_path());
    let error = train(&task(model, phases), &dir.path().join("c"), &(), &AtomicBool::new(false)).err().unwrap();
    assert!(error.to_string().contains("--fresh"), "{error}");
}

/// A layer-wise schedule changes the parameters of its layers and leaves all others as they were, bit for bit.
#[test]
fn a_layer_phase_changes_its_layer_only() {
    for (model, _) in schedules() {
        let schedule = |kinds: &[PhaseKind]| task(model.clone(), kinds.iter().map(|k| phase(*k, 3)).collect());
        let dir = temp_dir::TempDir::new().unwrap();
        let t = schedule(&[PhaseKind::LayerWise]);
        let before = named_tensors(&t.init()).unwrap();
        let changed = |after: &MampNet| -> Vec<String> {
            let after = named_tensors(after).unwrap();
            assert_eq!(before.len(), after.len());
            let pairs = before.iter().zip(&after).inspect(|(a, b)| assert_eq!((&a.0, &a.1), (&b.0, &b.1)));
            let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
            pairs.filter(|(a, b)| bits(&a.2) != bits(&b.2)).map(|(a, _)| a.0.clone()).collect()
        };
        for (layer, p) in t.phases().iter().enumerate() {
            let net = t.init();
            let named = parameters(&net);
            let trained: Vec<_> = t.groups(&net, p).into_iter().flat_map(|g| g.ids).collect();
            let wanted = |path: &str| path.contains(&format!(".layers.{layer}."));
            assert!(named.iter().all(|p| trained.contains(&p.id) == wanted(&p.path)), "layer {layer}");
            assert!(!trained.is_empty());
        }
        // Training stopped within the second layer's phase: the first layer's best checkpoint, and nothing else.
        let flag = AtomicBool::new(false);
        let stopped = train(&t, &dir.path().join("one"), &StopAfter(AtomicU64::new(3), &flag), &flag).unwrap();
        assert_eq!(stopped.stop, TrainStop::Interrupted);
        let first = changed(&stopped.net);
        assert!(first.iter().all(|path| path.contains(".layers.0.")), "{first:?}");
        assert!(first.iter().any(|path| path.ends_with(".b")), "{first:?}");
        let both = changed(&run(&t, &dir.path().join("all")));
        assert!(both.iter().all(|path| path.contains(".layers.")), "{both:?}");
        for layer in 0..2 {
            assert!(both.iter().any(|path| path.contains(&format!(".layers.{layer}."))), "{both:?}");
        }
        let last = changed(&run(&schedule(&[PhaseKind::Refinement]), &dir.path().join("last")));
        assert!(last.iter().all(|path| path.contains("refinement") || path.contains("covariance")), "{last:?}");
        assert!(!last.is_empty());
    }
}

#[test]
fn joint_training_lowers_the_validation_loss() {
    for (model, _) in schedules() {
        let joint = PhaseConfig { lr: 3e-3, ..phase(PhaseKind::Joint, 100) };
        let t = task(model, vec![joint]);
        let start = t.validate(&burn::module::Module::valid(&t.init()), &t.phases()[0]).unwrap().loss;
        let dir = temp_dir::TempDir::new().unwrap();
        let end = t.validate(&run(&t, &dir.path().join("c")), &t.phases()[0]).unwrap().loss;
        assert!(end < 0.98 * start, "from {start} to {end}");
    }
}

#[test]
fn every_parameter_has_a_gradient_of_its_own() {
    for (model, _) in schedules() {
        let t = task(model, vec![phase(PhaseKind::Joint, 1)]);
        let net = t.init();
        let p = &t.phases()[0];
        let mut grads = t.loss(&net, &t.batch(0, p).unwrap(), p).backward();
        // Only what acts after the last output of the network may go without: the step and the Onsager factor of the
        // last AMP layer before the covariance layers, and the step of the last covariance layer.
        let after_the_end = ["layers.1.v", "layers.1.onsager", "covariance.0.v"];
        let mut parts = Vec::new();
        for Parameter { id, path, .. } in parameters(&net) {
            let part = burn::optim::GradientsParams::from_params(&mut grads, &net, &[id]);
            assert!(part.len() == 1 || after_the_end.iter().any(|end| path.ends_with(end)), "{path} has no gradient");
            parts.push((path, id, part));
        }
        // The layers do different work: equal gradients would mean that they share one.
        let of = |path: &str| {
            let (_, id, part) = parts.iter().find(|e| e.0.ends_with(path)).unwrap();
            super::values(part.get::<2>(*id).unwrap())
        };
        assert!(super::relative(&of("layers.0.b"), &of("layers.1.b")) > 1e-2);
    }
}
