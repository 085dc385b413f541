// SPDX-License-Identifier: MIT OR Apache-2.0
//! Vulkan's devices, for WebGPU's execution provider on Linux.
//!
//! Without a device, the provider throws a C++ exception through `pthread_once`. In programs such as `gst-launch-1.0`, which load
//! libunwind before GCC's unwinder, that aborts the process. So the devices are counted first.

use std::ffi::{CStr, c_char, c_void};
use std::ptr;

use once_cell::sync::OnceCell;

/// `VkInstanceCreateInfo`: no layers, extensions or application info.
#[repr(C)]
struct InstanceInfo {
    kind: u32,
    next: *const c_void,
    flags: u32,
    application: *const c_void,
    layers: (u32, *const *const c_char),
    extensions: (u32, *const *const c_char),
}

/// `VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO`.
const INSTANCE_INFO: u32 = 1;
/// `VkPhysicalDeviceProperties` takes 824 bytes.
const PROPERTIES_SIZE: usize = 128;
/// In it, the name follows five numbers of 32 bits.
const NAME_OFFSET: usize = 20;

type CreateInstance = unsafe extern "system" fn(*const InstanceInfo, *const c_void, *mut *mut c_void) -> i32;
type DestroyInstance = unsafe extern "system" fn(*mut c_void, *const c_void);
type EnumerateDevices = unsafe extern "system" fn(*mut c_void, *mut u32, *mut *mut c_void) -> i32;
type DeviceProperties = unsafe extern "system" fn(*mut c_void, *mut [u64; PROPERTIES_SIZE]);

/// The names of the devices, at least one.
///
/// # Errors
/// What is missing.
pub(super) fn devices() -> Result<&'static [String], String> {
    static DEVICES: OnceCell<Vec<String>> = OnceCell::new();
    DEVICES.get_or_try_init(enumerate).map(Vec::as_slice)
}

#[allow(unsafe_code)] // Vulkan is a C API.
fn enumerate() -> Result<Vec<String>, String> {
    let missing = |error: libloading::Error| format!("Vulkan cannot be loaded ({error}): install libvulkan1");
    let info = InstanceInfo {
        kind: INSTANCE_INFO,
        next: ptr::null(),
        flags: 0,
        application: ptr::null(),
        layers: (0, ptr::null()),
        extensions: (0, ptr::null()),
    };
    // SAFETY: the functions have these types in all versions of Vulkan. The instance is valid until it is destroyed, the array of
    // devices has as many elements as the number says, and `PROPERTIES_SIZE` numbers of 64 bits hold a device's properties, whose
    // name ends with a NUL. The library stays loaded, because drivers start threads.
    unsafe {
        let vulkan = std::mem::ManuallyDrop::new(libloading::Library::new("libvulkan.so.1").map_err(missing)?);
        let create = vulkan.get::<CreateInstance>(b"vkCreateInstance").map_err(missing)?;
        let destroy = vulkan.get::<DestroyInstance>(b"vkDestroyInstance").map_err(missing)?;
        let enumerate = vulkan.get::<EnumerateDevices>(b"vkEnumeratePhysicalDevices").map_err(missing)?;
        let properties = vulkan.get::<DeviceProperties>(b"vkGetPhysicalDeviceProperties").map_err(missing)?;
        let (mut instance, mut count) = (ptr::null_mut(), 0);
        let failed = create(&info, ptr::null(), &mut instance);
        if failed != 0 {
            return Err(format!("Vulkan has no driver (error {failed}): install the driver of the GPU"));
        }
        enumerate(instance, &mut count, ptr::null_mut());
        let mut found = vec![ptr::null_mut(); count as usize];
        enumerate(instance, &mut count, found.as_mut_ptr());
        found.truncate(count as usize);
        let name = |&device: &*mut c_void| {
            let mut values = [0_u64; PROPERTIES_SIZE];
            properties(device, &mut values);
            CStr::from_ptr(values.as_ptr().cast::<c_char>().add(NAME_OFFSET)).to_string_lossy().into_owned()
        };
        let names: Vec<String> = found.iter().map(name).collect();
        destroy(instance, ptr::null());
        if names.is_empty() { Err("Vulkan has no device: install the driver of the GPU".into()) } else { Ok(names) }
    }
}
