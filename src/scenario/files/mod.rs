//! Frames and decisions as npz files.

mod frames;
mod spreading;

pub use frames::{
    Layout, read_frames, read_frames_as, write_decisions, write_decisions_as, write_frames, write_frames_as,
};
