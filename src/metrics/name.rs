//! The names of all metrics, parsed once: every other module compares values of [`MetricName`] and no text.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::table::{MetricInfo, info};

/// A number that results list for a detector at a point.
///
/// The text of a name in `results.json`, `results.csv` and the key `figures.metrics` is its [`Display`](fmt::Display)
/// form, for example `nmse_db`; [`FromStr`] reads it back and knows no other spelling. Names are ordered as results list
/// them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[non_exhaustive]
pub enum MetricName {
    /// `ser`, symbol error rate.
    Ser,
    /// `missed_detection`, missed detection rate.
    MissedDetection,
    /// `false_alarm`, false alarm rate.
    FalseAlarm,
    /// `data_error`, rate of wrong sequences among detected devices.
    DataError,
    /// `frame_error`, frame error rate.
    FrameError,
    /// `nmse_db`, normalised mean squared error of X in dB.
    NmseDb,
    /// `ber`, bit error rate.
    Ber,
    /// `mse`, squared error per device.
    Mse,
    /// `mse_entry`, squared error per device and antenna.
    MseEntry,
    /// `rank_error`, share of pairs of an active and an idle device of a frame whose scores are in the wrong order.
    RankError,
    /// `not_converged`, share of frames in which the detector did not reach what it looks for.
    NotConverged,
    /// `ber_user_K`, bit error rate of one user; the variant counts users from 0, the text from 1.
    BerUser(u32),
    /// `jain`, Jain's fairness index of the users' bit error rates.
    Jain,
    /// `coherence`, mutual coherence of the pilots.
    Coherence,
    /// `block_coherence`, coherence between the blocks of the pilots.
    BlockCoherence,
    /// `sub_coherence`, coherence within the blocks of the pilots.
    SubCoherence,
    /// `eps_ratio`, ratio of the activity probabilities of the two halves of the devices.
    EpsRatio,
    /// `kkt_iterations`, iterations until the optimality conditions hold.
    KktIterations,
    /// `score_calls`, evaluations of the score of the prior.
    ScoreCalls,
    /// `time_ratio`, computation time relative to the first detector.
    TimeRatio,
    /// `frame_ms`, computation time per frame.
    FrameMs,
}

/// How the sums of a metric over frames become a value and an interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// Events over trials, several trials per frame: clustered by frame.
    Proportion,
    /// One event or none per frame.
    FrameEvent,
    /// Ratio of two energies, reported in dB.
    PowerDb,
    /// Energy per device or entry, reported as it is.
    Power,
}

/// What a metric is measured on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricSource {
    /// Every frame gives a numerator and a denominator; the value is the ratio of their sums.
    Frames(MetricKind),
    /// The same for the bits of one user.
    User(MetricKind),
    /// A function of the rates of all users.
    Users,
    /// The detector or its pilots; no frame is counted.
    Property,
    /// The clock; differs from run to run.
    Time,
}

/// The metrics with a ratio in every frame, in the order in which results list them.
pub const FRAME_METRICS: [MetricName; 11] = [
    MetricName::Ser,
    MetricName::MissedDetection,
    MetricName::FalseAlarm,
    MetricName::DataError,
    MetricName::FrameError,
    MetricName::NmseDb,
    MetricName::Ber,
    MetricName::Mse,
    MetricName::MseEntry,
    MetricName::RankError,
    MetricName::NotConverged,
];

/// Every name but those of single users.
const OTHERS: [MetricName; 9] = [
    MetricName::Jain,
    MetricName::Coherence,
    MetricName::BlockCoherence,
    MetricName::SubCoherence,
    MetricName::EpsRatio,
    MetricName::KktIterations,
    MetricName::ScoreCalls,
    MetricName::TimeRatio,
    MetricName::FrameMs,
];

impl MetricName {
    /// Every name except those of single users.
    pub fn all() -> impl Iterator<Item = Self> {
        FRAME_METRICS.into_iter().chain(OTHERS)
    }

    /// What is measured, with its names in figures.
    pub fn info(self) -> &'static MetricInfo {
        info(self)
    }

    /// How its sums over frames are estimated; `None` for what is no ratio of sums.
    pub fn kind(self) -> Option<MetricKind> {
        match self.info().source {
            MetricSource::Frames(kind) | MetricSource::User(kind) => Some(kind),
            MetricSource::Users | MetricSource::Property | MetricSource::Time => None,
        }
    }

    /// Whether options of a detector can be chosen by it: symbol errors, or the squared error of an estimate.
    pub fn is_tuned_by(self) -> bool {
        matches!(self, Self::Ser | Self::NmseDb | Self::Mse | Self::MseEntry)
    }

    /// Whether its values are decibels, so that differences and not ratios compare them.
    pub fn is_decibel(self) -> bool {
        self.kind() == Some(MetricKind::PowerDb)
    }

    /// Whether it belongs to the detector or its pilots and counts no frame.
    pub fn is_property(self) -> bool {
        self.info().source == MetricSource::Property
    }

    /// Short name in sentences and the heads of tables.
    pub fn abbreviation(self) -> String {
        self.with_user(self.info().abbreviation)
    }

    /// Name of an axis, with abbreviation or unit.
    pub fn axis(self) -> String {
        self.with_user(self.info().axis)
    }

    fn with_user(self, text: &str) -> String {
        match self {
            Self::BerUser(user) => format!("{text} of user {}", u64::from(user) + 1),
            _ => text.into(),
        }
    }

    /// What a key that takes a metric accepts, for errors: every name, in words.
    pub fn accepted() -> String {
        let names: Vec<&str> = Self::all().map(|m| m.info().name).collect();
        format!("one of {}, {}, {}, ...", names.join(", "), Self::BerUser(0), Self::BerUser(1))
    }
}

impl fmt::Display for MetricName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BerUser(user) => write!(f, "{}{}", self.info().name, u64::from(*user) + 1),
            other => f.write_str(other.info().name),
        }
    }
}

/// A text that names no metric.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown metric \"{0}\"; expected {known}", known = MetricName::accepted())]
pub struct UnknownMetric(pub String);

impl FromStr for MetricName {
    type Err = UnknownMetric;

    fn from_str(text: &str) -> Result<Self, UnknownMetric> {
        let number = text.strip_prefix(Self::BerUser(0).info().name);
        let user = number.and_then(|n| n.parse::<u32>().ok()?.checked_sub(1)).map(Self::BerUser);
        // One spelling per name: no "+1", no "01".
        let found = Self::all().find(|m| m.info().name == text).or(user.filter(|m| m.to_string() == text));
        found.ok_or_else(|| UnknownMetric(text.into()))
    }
}

impl TryFrom<String> for MetricName {
    type Error = UnknownMetric;

    fn try_from(text: String) -> Result<Self, UnknownMetric> {
        text.parse()
    }
}

impl From<MetricName> for String {
    fn from(name: MetricName) -> Self {
        name.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_read_back() {
        let users = [0, 5, 11, u32::MAX - 1].map(MetricName::BerUser);
        for name in MetricName::all().chain(users) {
            let text = name.to_string();
            assert_eq!(text.parse(), Ok(name));
            let json = serde_json::to_string(&name).unwrap();
            assert_eq!(json, format!("\"{text}\""));
            assert_eq!(serde_json::from_str::<MetricName>(&json).unwrap(), name);
        }
        assert_eq!(MetricName::BerUser(5).to_string(), "ber_user_6");
    }

    #[test]
    fn what_is_no_metric_is_refused_with_the_names_that_are() {
        let wrong = ["ber_user_banana", "ber_user_", "ber_user_0", "ber_user_01", "ber_user_+1", "ber_user_4294967296"];
        for text in wrong.into_iter().chain(["", "SER", "bler", "ber_user"]) {
            let error = text.parse::<MetricName>().unwrap_err();
            assert_eq!(error, UnknownMetric(text.into()));
            let message = error.to_string();
            for name in MetricName::all() {
                assert!(message.contains(&name.to_string()), "{message}");
            }
            assert!(message.contains("ber_user_1"), "{message}");
        }
    }

    #[test]
    fn names_are_ordered_as_results_list_them() {
        let mut all: Vec<MetricName> = MetricName::all().chain([0, 1].map(MetricName::BerUser)).collect();
        all.sort();
        assert_eq!(all[..11], FRAME_METRICS);
        assert_eq!(all[11..14], [MetricName::BerUser(0), MetricName::BerUser(1), MetricName::Jain]);
        all.dedup();
        assert_eq!(all.len(), 22);
    }
}
