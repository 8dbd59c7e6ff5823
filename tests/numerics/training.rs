//! Training lowers the loss, trains only what a phase names, and resumes to the same weights.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use grantfree::scenario::{PilotKind, ScenarioConfig};
use grantfree::systems::mampnet::{MampNet, MampTask};
use grantfree::systems::mampnet::{ModelConfig, ModelForm};
use grantfree::systems::named_tensors;
use grantfree::training::{PhaseConfig, PhaseKind, TrainingConfig};
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
    fn on_event(&self, event: &TrainEvent) {
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
        let want = named_tensors(&run(&whole, &dir.path().join("whole")));
        let stopped = dir.path().join("stopped");
        let mut interruptions = 0;
        let got = loop {
            let flag = AtomicBool::new(false);
            let outcome = train(&whole, &stopped, &StopAfter(AtomicU64::new(7), &flag), &flag).unwrap();
            if outcome.stop == TrainStop::Finished {
                break named_tensors(&outcome.net);
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

#[test]
fn a_layer_phase_changes_its_layer_only() {
    let model = ModelConfig { layers: 2, ..ModelConfig::default() };
    let t = task(model, vec![phase(PhaseKind::LayerWise, 3)]);
    let before = named_tensors(&t.init());
    let phases = t.phases();
    let net = t.init();
    for (layer, p) in phases.iter().enumerate() {
        let ids: usize = t.groups(&net, p).iter().map(|g| g.ids.len()).sum();
        assert_eq!(ids, 6, "layer {layer}");
    }
    let dir = temp_dir::TempDir::new().unwrap();
    let after = named_tensors(&run(&t, &dir.path().join("c")));
    assert_eq!(before.len(), after.len());
    assert!(before.iter().zip(&after).any(|(a, b)| a != b));
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
        for (id, path, ..) in net.parameters().entries {
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
