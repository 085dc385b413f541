// SPDX-License-Identifier: MIT OR Apache-2.0
// A slow disk: while the file $SLOW_DISK exists, each call that writes to a file takes a tenth of a second longer.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

// Standard outputs, sockets and pipes are as fast as ever.
static void delay(int file) {
    struct stat what;
    const char *slow = getenv("SLOW_DISK");
    if (file > 2 && slow && fstat(file, &what) == 0 && S_ISREG(what.st_mode) && access(slow, F_OK) == 0) usleep(100000);
}

#define DELAYED(result, name, arguments, values) \
    result name arguments {                      \
        static result (*real) arguments;         \
        if (!real) *(void **)&real = dlsym(RTLD_NEXT, #name); \
        delay(file);                             \
        return real values;                      \
    }

DELAYED(ssize_t, write, (int file, const void *bytes, size_t count), (file, bytes, count))
DELAYED(ssize_t, writev, (int file, const struct iovec *parts, int count), (file, parts, count))
DELAYED(ssize_t, pwrite64, (int file, const void *bytes, size_t count, off64_t at), (file, bytes, count, at))
DELAYED(int, fsync, (int file), (file))
DELAYED(int, fdatasync, (int file), (file))
