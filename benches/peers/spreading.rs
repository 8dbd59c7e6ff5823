//! The case of system E.

use grantfree::scenario::{NomaConfig, SignatureKind};
use grantfree::systems::signature::{ReceiverConfig, ReceiverForm};
use grantfree::systems::signature::{ReceiverTask, stack_signatures};
use grantfree::training::TrainTask;

use crate::case::{Arrays, Case, device};
use crate::step;

/// SICNN with the widths of the NOMA signature paper on 1,000 frames.
pub fn sicnn() -> Case {
    let noma = NomaConfig::default();
    let config = ReceiverConfig {
        form: ReceiverForm::Sicnn,
        user_weights: Some(vec![1.0; noma.users]),
        ..ReceiverConfig::default()
    };
    let training = step::schedule(1000, 0.0);
    let task = ReceiverTask::new("peer", &noma, SignatureKind::Wbe, 1, &config, &training, &device())
        .expect("these signatures exist");
    let batch = task.batch(0, &task.phases()[0]).expect("no files");
    let inputs = Arrays::default()
        .tensor("h_re", &batch.h[0])
        .tensor("h_im", &batch.h[1])
        .tensor("noise", &batch.noise)
        .tensor("x_re", &batch.x[0])
        .tensor("x_im", &batch.x[1])
        .tensor("signatures", &stack_signatures(task.signatures(), &device()));
    step::case(task, batch, inputs)
}
