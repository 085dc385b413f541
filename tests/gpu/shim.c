// SPDX-License-Identifier: MIT OR Apache-2.0
// A Vulkan driver that forwards to the one in $SHIM_DRIVER, and loses its device once the file $SHIM_LOSES exists.
#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define VK_ERROR_DEVICE_LOST -4

typedef void (*function)(void);
typedef function (*lookup)(void *, const char *);
typedef int32_t (*submit)(void *, uint32_t, const void *, uint64_t);

static lookup driver_device;
static submit driver_submit;

static void *driver(const char *name) {
    static void *library;
    if (!library) library = dlopen(getenv("SHIM_DRIVER"), RTLD_NOW | RTLD_LOCAL);
    return library ? dlsym(library, name) : 0;
}

static int32_t submit_or_lose(void *queue, uint32_t count, const void *submits, uint64_t fence) {
    return access(getenv("SHIM_LOSES"), F_OK) == 0 ? VK_ERROR_DEVICE_LOST : driver_submit(queue, count, submits, fence);
}

static function device_function(void *device, const char *name);

// FOUND, or what replaces it.
static function replaced(function found, const char *name) {
    if (found && !strcmp(name, "vkGetDeviceProcAddr")) {
        driver_device = (lookup)found;
        return (function)device_function;
    }
    if (found && !strcmp(name, "vkQueueSubmit")) {
        driver_submit = (submit)found;
        return (function)submit_or_lose;
    }
    return found;
}

static function device_function(void *device, const char *name) { return replaced(driver_device(device, name), name); }

function vk_icdGetInstanceProcAddr(void *instance, const char *name) {
    return replaced(((lookup)driver("vk_icdGetInstanceProcAddr"))(instance, name), name);
}

function vk_icdGetPhysicalDeviceProcAddr(void *instance, const char *name) {
    lookup look = (lookup)driver("vk_icdGetPhysicalDeviceProcAddr");
    return look ? look(instance, name) : 0;
}

int32_t vk_icdNegotiateLoaderICDInterfaceVersion(uint32_t *version) {
    return ((int32_t(*)(uint32_t *))driver("vk_icdNegotiateLoaderICDInterfaceVersion"))(version);
}
