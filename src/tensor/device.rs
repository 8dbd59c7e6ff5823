//! Which device runs the tensors.

use burn::tensor::Device;

/// `--backend`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BackendChoice {
    /// A real GPU where there is one, else the CPU (flex, else ndarray).
    Auto,
    /// The CPU, multi-threaded.
    Flex,
    /// The CPU on the ndarray crate.
    NdArray,
    /// Any GPU, on the graphics API that wgpu prefers; accepts software adapters.
    Wgpu,
    /// A GPU through Vulkan.
    Vulkan,
    /// A GPU through Metal (macOS).
    Metal,
    /// A GPU through DirectX 12 (Windows).
    Dx12,
}

impl BackendChoice {
    /// Every choice: `Auto`, then the CPU ones, then the GPU ones.
    pub const ALL: [Self; 7] =
        [Self::Auto, Self::Flex, Self::NdArray, Self::Wgpu, Self::Vulkan, Self::Metal, Self::Dx12];

    /// The name as spelled on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Flex => "flex",
            Self::NdArray => "ndarray",
            Self::Wgpu => "wgpu",
            Self::Vulkan => "vulkan",
            Self::Metal => "metal",
            Self::Dx12 => "dx12",
        }
    }

    /// The operating system of a graphics API that exists on one only, where that is not this one.
    fn foreign(self) -> Option<&'static str> {
        match self {
            Self::Metal if !cfg!(target_vendor = "apple") => Some("macOS"),
            Self::Dx12 if !cfg!(windows) => Some("Windows"),
            _ => None,
        }
    }
}

/// A graphics adapter that wgpu can reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adapter {
    /// Name of the card, or of the software renderer.
    pub name: String,
    /// Graphics API: "Vulkan", "Metal", "Dx12", "Gl".
    pub api: String,
    /// Driver and its version.
    pub driver: String,
    /// "DiscreteGpu", "IntegratedGpu", "VirtualGpu", "Cpu" (software) or "Other".
    pub kind: String,
}

impl Adapter {
    /// Software renderers compute correctly and slowly.
    pub fn is_software(&self) -> bool {
        self.kind == "Cpu"
    }
}

/// Why no device could be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackendError {
    /// The graphics API does not exist on this operating system.
    #[error("backend {backend} exists on {only} only, this is {here}; try --backend auto")]
    OtherSystem {
        /// What was asked for.
        backend: &'static str,
        /// Where it exists.
        only: &'static str,
        /// Where this program runs.
        here: &'static str,
    },
    /// The build lacks the backend.
    #[error("backend {backend} is not in this build (compiled: {compiled}); build with --features {feature}")]
    NotCompiled {
        /// What was asked for.
        backend: &'static str,
        /// What there is.
        compiled: String,
        /// What to add.
        feature: &'static str,
    },
    /// No adapter answers.
    #[error(
        "backend {backend}: no usable graphics adapter ({message}); try --backend flex, or install a driver (on Linux mesa-vulkan-drivers has a software one)"
    )]
    NoAdapter {
        /// What was asked for.
        backend: &'static str,
        /// What the driver said.
        message: String,
    },
}

/// A chosen device.
#[derive(Debug, Clone)]
pub struct Chosen {
    /// Where tensors live (without autodiff).
    pub device: Device,
    /// Backend by name.
    pub name: &'static str,
    /// Adapter, for GPUs.
    pub adapter: Option<Adapter>,
    /// One line for the user: what was chosen and why.
    pub note: String,
}

/// Backends in this build.
pub fn compiled() -> Vec<&'static str> {
    let mut names = Vec::new();
    if cfg!(feature = "flex") {
        names.push("flex");
    }
    if cfg!(feature = "ndarray") {
        names.push("ndarray");
    }
    if cfg!(feature = "wgpu") {
        names.push("wgpu");
    }
    names
}

/// Every adapter of every graphics API; empty where there is none or the build has no wgpu.
///
/// The drivers are asked once in a process. Vulkan's loader can crash when instances come and go on several threads,
/// so every device is opened after this list is complete.
#[cfg(feature = "wgpu")]
pub fn adapters() -> Vec<Adapter> {
    use burn_wgpu::wgpu;
    static FOUND: std::sync::OnceLock<Vec<Adapter>> = std::sync::OnceLock::new();
    FOUND
        .get_or_init(|| {
            let found = wgpu::Instance::default().enumerate_adapters(wgpu::Backends::all());
            cubecl::future::block_on(found).iter().map(|a| describe(a.get_info())).collect()
        })
        .clone()
}

/// Every adapter of every graphics API; empty where there is none or the build has no wgpu.
#[cfg(not(feature = "wgpu"))]
pub fn adapters() -> Vec<Adapter> {
    Vec::new()
}

#[cfg(feature = "wgpu")]
fn describe(info: burn_wgpu::wgpu::AdapterInfo) -> Adapter {
    Adapter {
        name: info.name,
        api: format!("{:?}", info.backend),
        driver: format!("{} {}", info.driver, info.driver_info).trim().to_owned(),
        kind: format!("{:?}", info.device_type),
    }
}

/// Opens the device of a choice; under `auto` a missing or software adapter falls back to the CPU.
///
/// # Errors
/// [`BackendError`] when the build or the machine lacks what was asked for by name.
pub fn choose(choice: BackendChoice) -> Result<Chosen, BackendError> {
    match choice {
        BackendChoice::Auto => {
            let why = match real_gpu() {
                Ok(mut chosen) => {
                    chosen.note += ", chosen by auto";
                    return Ok(chosen);
                }
                Err(why) => why,
            };
            let mut chosen = cpu()?;
            chosen.note = format!("{}, chosen by auto: {why}", chosen.note);
            Ok(chosen)
        }
        BackendChoice::Flex => {
            #[cfg(feature = "flex")]
            return Ok(plain(Device::flex(), "flex"));
            #[cfg(not(feature = "flex"))]
            Err(not_compiled("flex", "flex"))
        }
        BackendChoice::NdArray => {
            #[cfg(feature = "ndarray")]
            return Ok(ndarray());
            #[cfg(not(feature = "ndarray"))]
            Err(not_compiled("ndarray", "ndarray"))
        }
        gpu_choice => match gpu_choice.foreign() {
            Some(only) => {
                let here = std::env::consts::OS;
                Err(BackendError::OtherSystem { backend: gpu_choice.name(), only, here })
            }
            None => gpu(gpu_choice),
        },
    }
}

/// What `auto` prefers, or why there is none.
fn real_gpu() -> Result<Chosen, String> {
    if !cfg!(feature = "wgpu") {
        return Err("this build has no wgpu".into());
    }
    let found = adapters();
    if found.is_empty() {
        return Err("no graphics adapter found".into());
    }
    if found.iter().all(|a| a.is_software() || a.api == "Gl") {
        return Err(format!("no hardware graphics adapter found, only {}", found[0].name));
    }
    let chosen = gpu(BackendChoice::Wgpu).map_err(|e| format!("a GPU was found but could not be opened: {e}"))?;
    match &chosen.adapter {
        Some(a) if a.is_software() => Err(format!("a GPU was found, but the driver opened {}", a.name)),
        _ => Ok(chosen),
    }
}

#[cfg(any(feature = "flex", feature = "ndarray"))]
fn plain(device: Device, name: &'static str) -> Chosen {
    Chosen { device, name, adapter: None, note: format!("backend {name} (CPU)") }
}

/// It runs the specification of every kernel.
#[cfg(feature = "ndarray")]
#[expect(deprecated, reason = "burn-ndarray is deprecated upstream in favour of flex")]
fn ndarray() -> Chosen {
    plain(Device::ndarray(), "ndarray")
}

#[cfg(not(all(feature = "flex", feature = "ndarray", feature = "wgpu")))]
fn not_compiled(backend: &'static str, feature: &'static str) -> BackendError {
    BackendError::NotCompiled { backend, compiled: compiled().join(", "), feature }
}

fn cpu() -> Result<Chosen, BackendError> {
    #[cfg(feature = "flex")]
    return Ok(plain(Device::flex(), "flex"));
    #[cfg(all(not(feature = "flex"), feature = "ndarray"))]
    return Ok(ndarray());
    #[cfg(not(any(feature = "flex", feature = "ndarray")))]
    Err(not_compiled("flex", "flex"))
}

#[cfg(feature = "wgpu")]
fn gpu(choice: BackendChoice) -> Result<Chosen, BackendError> {
    use burn_wgpu::WgpuBackend;
    let (api, shown) = match choice {
        BackendChoice::Vulkan => (WgpuBackend::Vulkan, Some("Vulkan")),
        BackendChoice::Metal => (WgpuBackend::Metal, Some("Metal")),
        BackendChoice::Dx12 => (WgpuBackend::Dx12, Some("Dx12")),
        _ => (WgpuBackend::Auto, None),
    };
    let missing = |message: String| BackendError::NoAdapter { backend: choice.name(), message };
    // Ask first: creating a tensor without an adapter would panic inside the runtime.
    if !adapters().iter().any(|a| shown.map_or(a.api != "Gl", |api| a.api == api)) {
        return Err(missing("none answers on this graphics API".into()));
    }
    // A selector can be initialised once in a process; later calls reuse the device.
    type Opened = Vec<(BackendChoice, Device, Adapter)>;
    static OPENED: std::sync::Mutex<Opened> = std::sync::Mutex::new(Vec::new());
    let mut opened = OPENED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let (device, adapter) = match opened.iter().find(|(c, ..)| *c == choice) {
        Some((_, device, adapter)) => (device.clone(), adapter.clone()),
        None => {
            let (device, setup) =
                Device::wgpu_options().graphics_api(api).init_with_setup().map_err(|e| missing(e.to_string()))?;
            let adapter = describe(setup.adapter.get_info());
            opened.push((choice, device.clone(), adapter.clone()));
            (device, adapter)
        }
    };
    let software = if adapter.is_software() { ", a software renderer: correct and slow" } else { "" };
    let note = format!("backend {} on {} ({}{software})", choice.name(), adapter.name, adapter.api);
    Ok(Chosen { device, name: choice.name(), adapter: Some(adapter), note })
}

#[cfg(not(feature = "wgpu"))]
fn gpu(choice: BackendChoice) -> Result<Chosen, BackendError> {
    Err(not_compiled(choice.name(), "wgpu"))
}
