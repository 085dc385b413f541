// SPDX-License-Identifier: MIT OR Apache-2.0
//! Execution providers in libraries of their own, such as WebGPU's: loading, devices, sessions.
//!
//! `ort` wraps these functions only in builds that refuse ONNX Runtime before 1.22. An older one is good enough for the CPU, so
//! this module calls the functions itself, after it has asked the loaded library for its version.

use std::ffi::{CStr, CString, c_char};
use std::path::{Path, PathBuf};
use std::ptr;

use once_cell::sync::OnceCell;
use ort::AsPointer;
use ort::environment::Environment;
use ort::session::builder::SessionBuilder;
use ort::sys::{OrtApi, OrtApiBase, OrtEnv, OrtEpDevice, OrtHardwareDevice, OrtSessionOptions, OrtStatusPtr, os_char};
use parking_lot::Mutex;

use super::provider::Plugin;
use crate::error::{Error, Result};

/// The first version 1.N of ONNX Runtime that loads such libraries, which is that of its C API, too.
const API_VERSION: u32 = 22;

/// ONNX Runtime's name of the provider for GPUs. Version 0.4.0 crashes if two sessions run at the same time.
const WEBGPU: &str = "WebGpuExecutionProvider";

/// The values of `provider-device` that are no device but WebGPU's option of that name: it chooses the GPU itself.
const POWER_PREFERENCES: [&CStr; 2] = [c"low-power", c"high-performance"];

/// A part of ONNX Runtime's table of functions that is not called here.
type Skipped<const N: usize> = [unsafe extern "system" fn(); N];

/// ONNX Runtime's table of functions, up to those of version 1.22. The table only ever grows.
#[repr(C)]
struct Api {
    up_to_1_18: OrtApi,
    up_to_1_22: Skipped<21>,
    register_library: unsafe extern "system" fn(*mut OrtEnv, *const c_char, *const os_char) -> OrtStatusPtr,
    unregister_library: Skipped<1>,
    devices: unsafe extern "system" fn(*const OrtEnv, *mut *const *const OrtEpDevice, *mut usize) -> OrtStatusPtr,
    append_provider: AppendProvider,
    policies: Skipped<2>,
    hardware_type: unsafe extern "system" fn(*const OrtHardwareDevice) -> i32,
    vendor_id: unsafe extern "system" fn(*const OrtHardwareDevice) -> u32,
    vendor: unsafe extern "system" fn(*const OrtHardwareDevice) -> *const c_char,
    device_id: unsafe extern "system" fn(*const OrtHardwareDevice) -> u32,
    metadata: Skipped<1>,
    provider_name: unsafe extern "system" fn(*const OrtEpDevice) -> *const c_char,
    vendor_metadata_options: Skipped<3>,
    hardware: unsafe extern "system" fn(*const OrtEpDevice) -> *const OrtHardwareDevice,
}

/// Options, environment, devices and their number, keys and values of options and their number.
type AppendProvider = unsafe extern "system" fn(
    *mut OrtSessionOptions,
    *mut OrtEnv,
    *const *const OrtEpDevice,
    usize,
    *const *const c_char,
    *const *const c_char,
    usize,
) -> OrtStatusPtr;

// `up_to_1_18` must end where `up_to_1_22` begins.
const _: () = assert!(ort::sys::ORT_API_VERSION == 18);

/// A library that was loaded. It stays loaded until the process ends.
pub(super) struct PluginLibrary {
    api: &'static Api,
    path: PathBuf,
    /// The devices that the provider can use.
    devices: Vec<Device>,
    /// The devices that ONNX Runtime found, for error messages.
    all_devices: Vec<String>,
    /// See [`ChosenDevice::exclusive`].
    exclusive: Mutex<()>,
}

/// A device of a provider. ONNX Runtime's description of it lives as long as the library.
struct Device {
    pointer: *const OrtEpDevice,
    provider: String,
    /// Kind, vendor and numbers.
    description: String,
    is_gpu: bool,
}

// SAFETY: ONNX Runtime does not change what the pointers point to, and its functions that take them may be called on any thread.
#[allow(unsafe_code)]
unsafe impl Send for Device {}
// SAFETY: as above.
#[allow(unsafe_code)]
unsafe impl Sync for Device {}

/// The device on which the sessions of a network run.
#[derive(Clone, Copy)]
pub(super) struct ChosenDevice {
    provider_library: &'static PluginLibrary,
    device: &'static Device,
    power_preference: Option<&'static CStr>,
}

/// The libraries of the process.
static LIBRARIES: Mutex<Vec<&'static PluginLibrary>> = Mutex::new(Vec::new());

/// The device that `plugin` asks for. Loads its library unless the process has done that; `runtime` is ONNX Runtime's own.
pub(super) fn device(environment: &Environment, runtime: &Path, plugin: &Plugin) -> Result<ChosenDevice> {
    let mut libraries = LIBRARIES.lock();
    let known = libraries.iter().find(|library| library.path == plugin.path).copied();
    let library = match known {
        Some(library) => library,
        None => {
            let loaded: &'static PluginLibrary = Box::leak(Box::new(PluginLibrary::load(environment, runtime, &plugin.path)?));
            libraries.push(loaded);
            loaded
        }
    };
    let device = library.choose(plugin.device.as_deref().unwrap_or_default())?;
    #[cfg(target_os = "linux")]
    if device.provider() == WEBGPU {
        let error = |message| Error::ProviderLibrary { library: library.path.clone(), message };
        super::vulkan::devices().map_err(|missing| error(format!("{missing}; device: {}", device.description())))?;
    }
    Ok(device)
}

impl PluginLibrary {
    fn load(environment: &Environment, runtime: &Path, path: &Path) -> Result<Self> {
        let api = api(runtime)?;
        let error = |message: String| Error::ProviderLibrary { library: path.into(), message };
        if !path.is_file() {
            // The loader would also search the folders of the system.
            return Err(error("no such file".into()));
        }
        let before = devices(api, environment).map_err(|failed| error(failed.to_string()))?;
        register(api, environment, path).map_err(|failed| error(failed.to_string()))?;
        let mut after = devices(api, environment).map_err(|failed| error(failed.to_string()))?;
        let mut all_devices: Vec<_> = after.iter().map(|device| device.description.clone()).collect();
        all_devices.sort();
        all_devices.dedup();
        after.retain(|device| before.iter().all(|known| known.pointer != device.pointer));
        // GPUs first: the default is the first one.
        after.sort_by_key(|device| !device.is_gpu);
        Ok(Self { api, path: path.into(), devices: after, all_devices, exclusive: Mutex::new(()) })
    }

    /// The device whose description has the text `wanted`, or the first one.
    fn choose(&'static self, wanted: &str) -> Result<ChosenDevice> {
        let power_preference = POWER_PREFERENCES.into_iter().find(|name| name.to_bytes() == wanted.as_bytes());
        let text = if power_preference.is_some() { String::new() } else { wanted.to_lowercase() };
        let device = self.devices.iter().find(|device| device.description.to_lowercase().contains(&text));
        device.map(|device| ChosenDevice { provider_library: self, device, power_preference }).ok_or_else(|| Error::ProviderDevice {
            library: self.path.clone(),
            wanted: text,
            usable: self.devices.iter().map(|device| device.description.clone()).collect(),
            found: self.all_devices.clone(),
        })
    }
}

impl ChosenDevice {
    /// ONNX Runtime's name of the provider.
    pub(super) fn provider(&self) -> &'static str {
        &self.device.provider
    }

    /// Kind, vendor and numbers of the device.
    pub(super) fn description(&self) -> &'static str {
        &self.device.description
    }

    /// The lock to hold while a session on this device is created, run or dropped, if it may not be used otherwise.
    pub(super) fn exclusive(&self) -> Option<&'static Mutex<()>> {
        (self.provider() == WEBGPU).then_some(&self.provider_library.exclusive)
    }

    /// Lets the sessions of `builder` run on this device. In the layout that WebGPU prefers, each run would transpose weights and
    /// pictures, which takes most of its time.
    #[allow(unsafe_code)] // `ort` does not wrap this function for old libraries.
    pub(super) fn append(&self, environment: &Environment, mut builder: SessionBuilder) -> ort::Result<SessionBuilder> {
        let layout = (self.provider() == WEBGPU).then_some((c"preferredLayout", c"NCHW"));
        let options: Vec<_> = layout.into_iter().chain(self.power_preference.map(|value| (c"powerPreference", value))).collect();
        let (keys, values): (Vec<_>, Vec<_>) = options.iter().map(|(key, value)| (key.as_ptr(), value.as_ptr())).unzip();
        // SAFETY: all pointers are valid for the call, and the numbers are those of the devices and options behind them.
        // The returned status is consumed once, by `result_from_status`.
        unsafe {
            ort::Error::result_from_status((self.provider_library.api.append_provider)(
                builder.ptr_mut(),
                environment.ptr().cast_mut(),
                &self.device.pointer,
                1,
                keys.as_ptr(),
                values.as_ptr(),
                options.len(),
            ))?;
        }
        Ok(builder)
    }
}

/// The functions of the ONNX Runtime in `library`, which `ort` has loaded.
#[allow(unsafe_code)] // As above.
fn api(library: &Path) -> Result<&'static Api> {
    static API: OnceCell<&'static Api> = OnceCell::new();
    API.get_or_try_init(|| {
        let error = |message: String| Error::Runtime { path: library.into(), message };
        // SAFETY: the library is loaded already, so nothing is initialised, and forgetting the handle keeps it loaded.
        // `OrtGetApiBase` has this type in all versions and returns a static table, whose version is a static text.
        let (base, version) = unsafe {
            let loaded = libloading::Library::new(library).map_err(|failed| error(failed.to_string()))?;
            let get_base = loaded.get::<unsafe extern "C" fn() -> *const OrtApiBase>(b"OrtGetApiBase");
            let base = (get_base.map_err(|failed| error(failed.to_string()))?)();
            std::mem::forget(loaded);
            (base, CStr::from_ptr(((*base).GetVersionString)()).to_string_lossy().into_owned())
        };
        check_version(library, &version)?;
        // SAFETY: the table of this version begins with the fields of `Api`, and it is static.
        unsafe { ((*base).GetApi)(API_VERSION).cast::<Api>().as_ref() }.ok_or_else(|| error("no C API of version 1.22".into()))
    })
    .copied()
}

/// Refuses versions without the functions of [`Api`].
fn check_version(library: &Path, version: &str) -> Result<()> {
    let mut numbers = version.split('.').map(|number| number.parse().unwrap_or(0));
    if (numbers.next(), numbers.next()) >= (Some(1), Some(API_VERSION)) {
        return Ok(());
    }
    Err(Error::Config(format!(
        "An execution provider in a library of its own needs ONNX Runtime 1.{API_VERSION} or newer, and {} is {version}, which has \
         only the providers that it was built with",
        library.display()
    )))
}

/// Loads the provider in the library at `path`.
#[allow(unsafe_code)] // As above.
fn register(api: &Api, environment: &Environment, path: &Path) -> ort::Result<()> {
    let file = os_path(path);
    // Names must differ, as the paths do. A path with a NUL is no file.
    let name = CString::new(path.to_string_lossy().as_bytes()).unwrap_or_default();
    // SAFETY: the texts end with a NUL and are valid for the call; the status is consumed once.
    unsafe { ort::Error::result_from_status((api.register_library)(environment.ptr().cast_mut(), name.as_ptr(), file.as_ptr())) }
}

/// A path as ONNX Runtime takes it, with a NUL at its end.
fn os_path(path: &Path) -> Vec<os_char> {
    #[cfg(windows)]
    let characters = std::os::windows::ffi::OsStrExt::encode_wide(path.as_os_str());
    #[cfg(not(windows))]
    let characters = path.as_os_str().as_encoded_bytes().iter().map(|&byte| byte as os_char);
    characters.chain([0]).collect()
}

/// The devices of all providers.
#[allow(unsafe_code)] // As above.
fn devices(api: &Api, environment: &Environment) -> ort::Result<Vec<Device>> {
    let (mut first, mut count) = (ptr::null(), 0);
    // SAFETY: the status is consumed once. ONNX Runtime owns the array, which is valid until the next library is registered; that
    // waits for the lock of `LIBRARIES`, which the caller holds.
    let pointers = unsafe {
        ort::Error::result_from_status((api.devices)(environment.ptr(), &mut first, &mut count))?;
        if count == 0 { &[] } else { std::slice::from_raw_parts(first, count) }
    };
    Ok(pointers.iter().map(|&pointer| describe(api, pointer)).collect())
}

/// What ONNX Runtime says of a device.
#[allow(unsafe_code)] // As above.
fn describe(api: &Api, pointer: *const OrtEpDevice) -> Device {
    let text = |text: *const c_char| {
        // SAFETY: texts of ONNX Runtime end with a NUL and live as long as the device.
        if text.is_null() { String::new() } else { unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned() }
    };
    // SAFETY: the pointer is one of those that ONNX Runtime returned, and each device has its hardware.
    let (provider, kind, vendor, numbers) = unsafe {
        let hardware = (api.hardware)(pointer);
        let numbers = ((api.vendor_id)(hardware), (api.device_id)(hardware));
        (text((api.provider_name)(pointer)), (api.hardware_type)(hardware), text((api.vendor)(hardware)), numbers)
    };
    let kind = ["CPU", "GPU", "NPU"].get(kind as usize).unwrap_or(&"device");
    let names = [*kind, &vendor].into_iter().filter(|name| !name.is_empty()).collect::<Vec<_>>().join(" ");
    let description = format!("{names} {:04x}:{:04x}", numbers.0, numbers.1);
    Device { pointer, provider, description, is_gpu: *kind == "GPU" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_runtime_is_an_error_that_says_what_it_lacks() {
        let library = Path::new("/lib/libonnxruntime.so.1.20.1");
        let error = check_version(library, "1.20.1").unwrap_err().to_string();
        assert!(error.contains("needs ONNX Runtime 1.22 or newer") && error.contains("/lib/libonnxruntime.so.1.20.1 is 1.20.1"), "{error}");
        assert!(check_version(library, "").is_err());
        for version in ["1.22.0", "1.31.1", "2.0.0"] {
            check_version(library, version).unwrap();
        }
    }
}
