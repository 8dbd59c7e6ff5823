//! The table of metrics: names in files, names in figures, definitions in the report.

/// How a metric is estimated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// Events over trials, several trials per frame: clustered by frame.
    Proportion,
    /// One event or none per frame.
    FrameEvent,
    /// Ratio of two energies, reported in dB.
    PowerDb,
    /// Energy per something, reported as it is.
    Power,
}

/// One metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// Name in results.json, csv and the key `figures.metrics`.
    pub name: &'static str,
    /// Name on axes and in tables.
    pub title: &'static str,
    /// One line for the report.
    pub definition: &'static str,
    /// How it is estimated.
    pub kind: MetricKind,
}

/// Every metric, in the order in which results list them.
pub const METRICS: [Metric; 9] = [
    Metric {
        name: "ser",
        title: "Symbol error rate",
        definition: "devices whose decision (idle, or which sequence) differs from the truth, over all devices",
        kind: MetricKind::Proportion,
    },
    Metric {
        name: "missed_detection",
        title: "Missed detection rate",
        definition: "active devices declared idle, over active devices",
        kind: MetricKind::Proportion,
    },
    Metric {
        name: "false_alarm",
        title: "False alarm rate",
        definition: "idle devices declared active, over idle devices",
        kind: MetricKind::Proportion,
    },
    Metric {
        name: "data_error",
        title: "Data error rate",
        definition: "detected active devices with the wrong sequence, over detected active devices",
        kind: MetricKind::Proportion,
    },
    Metric {
        name: "frame_error",
        title: "Frame error rate",
        definition: "frames with at least one wrong device, over frames",
        kind: MetricKind::FrameEvent,
    },
    Metric {
        name: "nmse_db",
        title: "NMSE (dB)",
        definition: "squared error of the estimated rows of X over the energy of the true rows, both summed over \
                     frames; 10 log10 of the ratio",
        kind: MetricKind::PowerDb,
    },
    Metric {
        name: "ber",
        title: "Bit error rate",
        definition: "wrong bits of active users over bits of active users; an active user declared idle has all its bits \
                     wrong, a false alarm carries no bits",
        kind: MetricKind::Proportion,
    },
    Metric {
        name: "mse",
        title: "MSE per device",
        definition: "squared error of the estimated rows of X over all antennas, per device (links with unit gains)",
        kind: MetricKind::Power,
    },
    Metric {
        name: "mse_entry",
        title: "MSE per entry",
        definition: "squared error of the estimated rows of X per device and antenna (links with unit gains)",
        kind: MetricKind::Power,
    },
];

/// A number that belongs to a detector and not to its frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Property {
    /// Name in results.json, csv and the key `figures.metrics`.
    pub name: &'static str,
    /// Name on axes and in tables.
    pub title: &'static str,
    /// One line for the report.
    pub definition: &'static str,
}

/// Every property.
pub const PROPERTIES: [Property; 8] = [
    Property {
        name: "coherence",
        title: "Coherence",
        definition: "largest correlation of two pilots of unit norm; the Welch bound is the smallest possible",
    },
    Property {
        name: "block_coherence",
        title: "Block-coherence",
        definition: "largest spectral norm of the correlations between the pilots of two groups, over the size of a group",
    },
    Property {
        name: "sub_coherence",
        title: "Sub-coherence",
        definition: "largest correlation of two pilots of the same group",
    },
    Property {
        name: "eps_ratio",
        title: "Ratio of activity probabilities",
        definition: "mean activity probability that the detector works with in the first half of the devices over that in the \
                     second half; known to classical detectors, learned by networks",
    },
    Property {
        name: "kkt_iterations",
        title: "Iterations to the optimum",
        definition: "iterations until the optimality conditions of the (group) LASSO are violated by less than 1e-6 in the units \
                     of A^H Y, median over 100 problems with new pilots in every tenth (unless pilots are fixed); 20000 at most",
    },
    Property {
        name: "score_calls",
        title: "Evaluations of the score",
        definition: "evaluations of the prior's score for one estimate, all chains together",
    },
    Property {
        name: "time_ratio",
        title: "Computation time",
        definition: "seconds inside the detector over those of the first detector of the figure, same frames, same run",
    },
    Property {
        name: "frame_ms",
        title: "Milliseconds per frame",
        definition: "wall time inside the detector over frames, all worker threads at work; learned detectors run block after \
                     block, classical ones many blocks at once",
    },
];

/// Name of the number of iterations to the optimum in [`PROPERTIES`].
pub const KKT_ITERATIONS: &str = "kkt_iterations";

/// Name of the ratio of computation times in [`PROPERTIES`].
pub const TIME_RATIO: &str = "time_ratio";

/// Name of the computation time in [`PROPERTIES`].
pub const FRAME_MS: &str = "frame_ms";

/// Whether results may list a metric of this name.
pub fn is_metric(name: &str) -> bool {
    name == JAIN
        || name.starts_with("ber_user_")
        || metric_index(name).is_some()
        || PROPERTIES.iter().any(|p| p.name == name)
}

/// Index of the bit error rate in [`METRICS`].
pub const BER: usize = 6;

/// Jain's index of the users' bit error rates (system E); not a ratio of sums, hence not in [`METRICS`].
pub const JAIN: &str = "jain";

/// Name of the bit error rate of one user, counted from 0.
pub fn user_metric(user: usize) -> String {
    format!("ber_user_{}", user + 1)
}

/// Index of the symbol error rate, the metric that stop rules look at, in [`METRICS`].
pub const SER: usize = 0;

/// Index of a metric in [`METRICS`] by its name in files.
pub fn metric_index(name: &str) -> Option<usize> {
    METRICS.iter().position(|m| m.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_found() {
        for (i, m) in METRICS.iter().enumerate() {
            assert_eq!(metric_index(m.name), Some(i));
        }
        assert_eq!(METRICS[SER].name, "ser");
        assert_eq!(METRICS[BER].name, "ber");
        assert_eq!(metric_index("bler"), None);
    }
}
