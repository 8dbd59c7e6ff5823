//! What each metric is: its spelling in files, its names in figures, its unit, its scale and its definition.

use super::name::{MetricKind, MetricName, MetricSource};

/// One metric in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MetricInfo {
    /// Spelling in results.json, csv and the key `figures.metrics`.
    pub name: &'static str,
    /// Title in lists of definitions.
    pub title: &'static str,
    /// Short name in sentences and the heads of tables.
    pub abbreviation: &'static str,
    /// Name of its axis, with abbreviation or unit.
    pub axis: &'static str,
    /// Unit; empty for pure numbers.
    pub unit: &'static str,
    /// What is divided by what, one line for the report.
    pub definition: &'static str,
    /// Whether its axis is logarithmic: every rate, count and time, but no decibels and nothing near 1.
    pub log: bool,
    /// What it is measured on.
    pub source: MetricSource,
}

/// A rate of events; its axis and its abbreviation are completed where they differ from the title.
const fn rate(name: &'static str, title: &'static str, definition: &'static str) -> MetricInfo {
    MetricInfo {
        name,
        title,
        abbreviation: title,
        axis: title,
        unit: "",
        definition,
        log: true,
        source: MetricSource::Frames(MetricKind::Proportion),
    }
}

/// A number of the detector on a linear axis.
const fn property(name: &'static str, title: &'static str, definition: &'static str) -> MetricInfo {
    MetricInfo { log: false, source: MetricSource::Property, ..rate(name, title, definition) }
}

const SER: MetricInfo = MetricInfo {
    abbreviation: "SER",
    axis: "Symbol error rate (SER)",
    ..rate(
        "ser",
        "Symbol error rate",
        "devices whose decision (idle, or which sequence) differs from the truth, over all devices",
    )
};

const MISSED_DETECTION: MetricInfo = MetricInfo {
    abbreviation: "missed detection",
    ..rate("missed_detection", "Missed detection rate", "active devices declared idle, over active devices")
};

const FALSE_ALARM: MetricInfo = MetricInfo {
    abbreviation: "false alarm",
    ..rate("false_alarm", "False alarm rate", "idle devices declared active, over idle devices")
};

const DATA_ERROR: MetricInfo = MetricInfo {
    abbreviation: "data error",
    ..rate(
        "data_error",
        "Data error rate",
        "detected active devices with the wrong sequence, over detected active devices",
    )
};

const FRAME_ERROR: MetricInfo = MetricInfo {
    abbreviation: "FER",
    axis: "Frame error rate (FER)",
    source: MetricSource::Frames(MetricKind::FrameEvent),
    ..rate("frame_error", "Frame error rate", "frames with at least one wrong device, over frames")
};

const RANK_ERROR: MetricInfo = MetricInfo {
    abbreviation: "rank error",
    axis: "Rank error (1 - AUC)",
    ..rate(
        "rank_error",
        "Rank error (1 - AUC)",
        "pairs of an active and an idle device of one frame whose scores are in the wrong order, over all such pairs: one minus the \
         area under the curve of detection against false alarm",
    )
};

const NOT_CONVERGED: MetricInfo = MetricInfo {
    abbreviation: "not converged",
    source: MetricSource::Frames(MetricKind::FrameEvent),
    ..rate(
        "not_converged",
        "Frames not converged",
        "frames in which the detector did not reach what it looks for, over frames",
    )
};

const NMSE_DB: MetricInfo = MetricInfo {
    abbreviation: "NMSE",
    unit: "dB",
    log: false,
    source: MetricSource::Frames(MetricKind::PowerDb),
    ..rate(
        "nmse_db",
        "NMSE (dB)",
        "squared error of the estimated rows of X over the energy of the true rows, both summed over frames; 10 log10 \
         of the ratio",
    )
};

const BER: MetricInfo = MetricInfo {
    abbreviation: "BER",
    axis: "Bit error rate (BER)",
    ..rate(
        "ber",
        "Bit error rate",
        "wrong bits of active users over bits of active users; an active user declared idle has all its bits wrong, a \
         false alarm carries no bits",
    )
};

const MSE: MetricInfo = MetricInfo {
    abbreviation: "MSE",
    source: MetricSource::Frames(MetricKind::Power),
    ..rate(
        "mse",
        "MSE per device",
        "squared error of the estimated rows of X over all antennas, per device (links with unit gains)",
    )
};

const MSE_ENTRY: MetricInfo = MetricInfo {
    abbreviation: "MSE per entry",
    source: MetricSource::Frames(MetricKind::Power),
    ..rate(
        "mse_entry",
        "MSE per entry",
        "squared error of the estimated rows of X per device and antenna (links with unit gains)",
    )
};

/// The number of the user is added to its name, abbreviation and axis.
const BER_USER: MetricInfo = MetricInfo {
    abbreviation: "BER",
    axis: "Bit error rate (BER)",
    source: MetricSource::User(MetricKind::Proportion),
    ..rate("ber_user_", "Bit error rate of one user", "the bit error rate over the bits of this user alone")
};

const JAIN: MetricInfo = MetricInfo {
    abbreviation: "Jain's index",
    axis: "Jain's index of the users' BER",
    source: MetricSource::Users,
    ..property(
        "jain",
        "Jain's index",
        "squared sum of the users' bit error rates over the number of users times the sum of their squares: 1 when all \
         users fare alike, 1 over the number of users when one bears all errors",
    )
};

const COHERENCE: MetricInfo = MetricInfo {
    abbreviation: "coherence",
    ..property(
        "coherence",
        "Coherence",
        "largest correlation of two pilots of unit norm; the Welch bound is the smallest possible",
    )
};

const BLOCK_COHERENCE: MetricInfo = MetricInfo {
    abbreviation: "block-coherence",
    ..property(
        "block_coherence",
        "Block-coherence",
        "largest spectral norm of the correlations between the pilots of two groups, over the size of a group",
    )
};

const SUB_COHERENCE: MetricInfo = MetricInfo {
    abbreviation: "sub-coherence",
    ..property("sub_coherence", "Sub-coherence", "largest correlation of two pilots of the same group")
};

const EPS_RATIO: MetricInfo = MetricInfo {
    abbreviation: "ε₁/ε₂",
    axis: "ε₁/ε₂",
    ..property(
        "eps_ratio",
        "Ratio of activity probabilities",
        "mean activity probability that the detector works with in the first half of the devices over that in the second \
         half; known to classical detectors, learned by networks",
    )
};

const KKT_ITERATIONS: MetricInfo = MetricInfo {
    abbreviation: "iterations to KKT < 1e-6",
    log: true,
    ..property(
        "kkt_iterations",
        "Iterations to the optimum",
        "iterations until the optimality conditions of the (group) LASSO are violated by less than 1e-6 in the units of \
         A^H Y, median over 100 problems with new pilots in every tenth (unless pilots are fixed); 20000 at most",
    )
};

const SCORE_CALLS: MetricInfo = MetricInfo {
    abbreviation: "score calls",
    log: true,
    ..property(
        "score_calls",
        "Evaluations of the score",
        "evaluations of the prior's score for one estimate, all chains together",
    )
};

const TIME_RATIO: MetricInfo = MetricInfo {
    abbreviation: "time ratio",
    axis: "Computation time (ratio)",
    source: MetricSource::Time,
    ..rate(
        "time_ratio",
        "Computation time",
        "seconds inside the detector over those of the first detector of the figure, same frames, same run",
    )
};

const FRAME_MS: MetricInfo = MetricInfo {
    abbreviation: "ms per frame",
    unit: "ms",
    source: MetricSource::Time,
    ..rate(
        "frame_ms",
        "Milliseconds per frame",
        "wall time inside the detector over frames, all worker threads at work; learned detectors run block after block, \
         classical ones many blocks at once",
    )
};

pub(super) fn info(name: MetricName) -> &'static MetricInfo {
    match name {
        MetricName::Ser => &SER,
        MetricName::MissedDetection => &MISSED_DETECTION,
        MetricName::FalseAlarm => &FALSE_ALARM,
        MetricName::DataError => &DATA_ERROR,
        MetricName::FrameError => &FRAME_ERROR,
        MetricName::NmseDb => &NMSE_DB,
        MetricName::Ber => &BER,
        MetricName::Mse => &MSE,
        MetricName::MseEntry => &MSE_ENTRY,
        MetricName::RankError => &RANK_ERROR,
        MetricName::NotConverged => &NOT_CONVERGED,
        MetricName::BerUser(_) => &BER_USER,
        MetricName::Jain => &JAIN,
        MetricName::Coherence => &COHERENCE,
        MetricName::BlockCoherence => &BLOCK_COHERENCE,
        MetricName::SubCoherence => &SUB_COHERENCE,
        MetricName::EpsRatio => &EPS_RATIO,
        MetricName::KktIterations => &KKT_ITERATIONS,
        MetricName::ScoreCalls => &SCORE_CALLS,
        MetricName::TimeRatio => &TIME_RATIO,
        MetricName::FrameMs => &FRAME_MS,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decibels_and_measures_near_one_are_linear() {
        let linear: Vec<&str> = MetricName::all().map(info).filter(|m| !m.log).map(|m| m.name).collect();
        assert_eq!(linear, ["nmse_db", "jain", "coherence", "block_coherence", "sub_coherence", "eps_ratio"]);
    }

    #[test]
    fn every_unit_stands_in_its_name() {
        let with: Vec<&str> = MetricName::all().map(info).filter(|m| !m.unit.is_empty()).map(|m| m.name).collect();
        assert_eq!(with, ["nmse_db", "frame_ms"]);
        assert!(NMSE_DB.axis.contains(NMSE_DB.unit) && FRAME_MS.abbreviation.starts_with(FRAME_MS.unit));
        assert_eq!(MetricName::BerUser(2).axis(), "Bit error rate (BER) of user 3");
        assert_eq!(MetricName::BerUser(0).abbreviation(), "BER of user 1");
    }
}
