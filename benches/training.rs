//! One training step of DL-mAMPnet (N = 100, M = 16, L = 40, one bit): loss, backward pass and Adam, and the batch it
//! needs, drawn fresh.

mod support;

use burn::optim::GradientsParams;
use grantfree::systems::mampnet::MampTask;
use grantfree::systems::mampnet::{ModelConfig, ModelForm};
use grantfree::training::TrainingConfig;
use grantfree::training::{TrainTask, adam};
use support::timing::Bench;

fn steps(c: &mut Bench) {
    // As the program does.
    grantfree::tensor::keep_freed_memory();
    let shared = ModelConfig { layers: 8, ..ModelConfig::default() };
    let rows = [
        ("shared form, 8 layers", 128, shared.clone()),
        ("shared form, 8 layers, learned pilots", 128, ModelConfig { learn_pilots: true, ..shared.clone() }),
        ("shared form, 4 AMP + 4 covariance layers", 128, ModelConfig { layers: 4, covariance_layers: 4, ..shared }),
        ("paper form, 4 layers", 32, ModelConfig { form: ModelForm::Paper, layers: 4, ..ModelConfig::default() }),
    ];
    let (_, device) = support::devices().into_iter().next().expect("a build has at least one CPU backend");
    for (name, batch, model) in rows {
        let training = TrainingConfig { batch, validation_frames: 1, ..TrainingConfig::default() };
        let task = MampTask::new("bench", &support::scenario(), 1, &model, &training, &device)
            .expect("the scenario needs no file");
        let phase = task.phases()[0].clone();
        let frames = task.batch(0, &phase).expect("the scenario needs no file");
        let mut net = task.init();
        let mut optimizer = adam(None);
        let groups = task.groups(&net, &phase);

        let mut group = c.group(&format!("training step, {name}"));
        group.elements(batch as u64);
        group.row(format!("draw a batch of {batch}"), |b| b.iter(|| task.batch(1, &phase)));
        group.row(format!("step on a batch of {batch}"), |b| {
            b.iter(|| {
                let mut grads = task.loss(&net, &frames, &phase).backward();
                let mut next = net.clone();
                for group in &groups {
                    let part = GradientsParams::from_params(&mut grads, &next, &group.ids);
                    next = optimizer.step(group.rate, next, part);
                }
                net = next;
            });
        });
    }
}

fn main() {
    let mut bench = Bench::from_args();
    steps(&mut bench);
}
