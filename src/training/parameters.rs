//! Parameters of a network by name, and how fast each of them learns.
//!
//! A layer says at which of the rates of a [`PhaseConfig`] its parameters learn ([`Rated`]); a network hands the question
//! on to its layers. Names are the paths of fields from the network down, joined by dots.

use std::collections::HashMap;

use burn::module::{Module, ModuleVisitor, Param, ParamId, list_param_ids};
use burn::tensor::Tensor;

use super::config::{PhaseConfig, PhaseKind};

/// Which rate of a [`PhaseConfig`] a parameter learns at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rate {
    /// `lr`: matrices, convolutions, dense layers.
    Matrix,
    /// The geometric mean of `lr` and `scalar_lr`: dense layers whose entries are neither small nor many.
    Between,
    /// `scalar_lr`: scalars and vectors of unfolded algorithms.
    Scalar,
    /// `pilot_lr`: learned pilots and signatures; not trained in a phase of kind "receiver".
    Pilots,
    /// Not trained and not counted.
    Fixed,
}

impl Rate {
    /// The learning rate in a phase; `None` where it does not train.
    fn of(self, phase: &PhaseConfig) -> Option<f64> {
        match self {
            Self::Matrix => Some(phase.lr),
            Self::Between => Some((phase.lr * phase.scalar_lr).sqrt()),
            Self::Scalar => Some(phase.scalar_lr),
            Self::Pilots => (phase.kind != PhaseKind::Receiver).then_some(phase.pilot_lr),
            Self::Fixed => None,
        }
    }
}

/// Rates by parameter.
#[derive(Debug, Default)]
pub struct Rates(HashMap<ParamId, Rate>);

impl Rates {
    /// Sets the rate of all parameters of a part, over what was set before.
    pub fn set(&mut self, rate: Rate, part: &impl Module) {
        self.0.extend(list_param_ids(part).into_iter().map(|id| (id, rate)));
    }
}

/// A layer or network that says how fast its parameters learn.
pub trait Rated: Module {
    /// Sets the rates of its parameters; those it leaves out learn at [`Rate::Matrix`]. Default: all of them.
    fn rates(&self, _: &mut Rates) {}

    /// Trained real parameters.
    fn trained_parameters(&self) -> usize {
        parameters(self).iter().filter(|p| p.rate != Rate::Fixed).map(Parameter::count).sum()
    }
}

impl<M: Rated> Rated for Vec<M> {
    fn rates(&self, to: &mut Rates) {
        self.iter().for_each(|layer| layer.rates(to));
    }
}

impl<M: Rated> Rated for Option<M> {
    fn rates(&self, to: &mut Rates) {
        self.iter().for_each(|layer| layer.rates(to));
    }
}

/// One parameter of a network.
#[derive(Debug, Clone)]
pub struct Parameter {
    /// Its id in gradients and optimisers.
    pub id: ParamId,
    /// Names from the network down, joined by dots.
    pub path: String,
    /// Shape.
    pub shape: Vec<usize>,
    /// How fast it learns.
    pub rate: Rate,
}

impl Parameter {
    /// Number of real values.
    pub fn count(&self) -> usize {
        self.shape.iter().product()
    }
}

/// Something that is done with every parameter.
pub trait EachParameter {
    /// Called in the order of the module.
    fn each<const D: usize>(&mut self, path: &str, param: &Param<Tensor<D>>);
}

struct Walk<'a, E> {
    path: Vec<String>,
    each: &'a mut E,
}

impl<E: EachParameter> ModuleVisitor for Walk<'_, E> {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.path.push(name.to_owned());
    }
    fn exit_module(&mut self, _: &str, _: &str) {
        self.path.pop();
    }
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.each.each(&self.path.join("."), param);
    }
}

/// Goes through the parameters of a module by name.
pub fn each_parameter(net: &impl Module, each: &mut impl EachParameter) {
    net.visit(&mut Walk { path: Vec::new(), each });
}

struct Index {
    rates: Rates,
    found: Vec<Parameter>,
}

impl EachParameter for Index {
    fn each<const D: usize>(&mut self, path: &str, param: &Param<Tensor<D>>) {
        let rate = self.rates.0.get(&param.id).copied().unwrap_or(Rate::Matrix);
        let shape = param.lazy_shape().to_vec();
        self.found.push(Parameter { id: param.id, path: path.to_owned(), shape, rate });
    }
}

/// Every parameter in the order of the module.
pub fn parameters<M: Rated>(net: &M) -> Vec<Parameter> {
    let mut index = Index { rates: Rates::default(), found: Vec::new() };
    net.rates(&mut index.rates);
    each_parameter(net, &mut index);
    index.found
}

/// Parameters that share a learning rate.
#[derive(Debug, Clone)]
pub struct RateGroup {
    /// Their ids.
    pub ids: Vec<ParamId>,
    /// Peak learning rate.
    pub rate: f64,
}

/// The parameters that a phase trains, by learning rate; `part` are those it may train, `None` for all.
pub fn rate_groups<M: Rated>(net: &M, phase: &PhaseConfig, part: Option<&[ParamId]>) -> Vec<RateGroup> {
    let all = parameters(net);
    let group = |rate: Rate| {
        let trained = all.iter().filter(|p| p.rate == rate && part.is_none_or(|part| part.contains(&p.id)));
        Some(RateGroup { ids: trained.map(|p| p.id).collect(), rate: rate.of(phase)? })
    };
    let rates = [Rate::Matrix, Rate::Between, Rate::Scalar, Rate::Pilots];
    rates.into_iter().filter_map(group).filter(|g| !g.ids.is_empty()).collect()
}
