// Whole files and directories at a time.
#ifndef KM_FILES_H
#define KM_FILES_H

#include "check.h"
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

// At most so many bytes of it; -1 where it cannot be read.
static inline ssize_t read_file(const char *path, void *buf, size_t size)
{
    int fd = open(path, O_RDONLY);
    if (fd < 0)
        return -1;
    size_t got = 0;
    ssize_t n = 0;
    while (got < size && (n = read(fd, (char *)buf + got, size - got)) > 0)
        got += (size_t)n;
    close(fd);
    return n < 0 ? -1 : (ssize_t)got;
}

// As a string; NULL where it cannot be read.
static inline char *text_of(const char *path, char *buf, size_t size)
{
    ssize_t n = read_file(path, buf, size - 1);
    buf[n < 0 ? 0 : n] = 0;
    return n < 0 ? NULL : buf;
}

// Its first line, which is empty where it cannot be read.
static inline const char *line_of(const char *path, char *buf, size_t size)
{
    text_of(path, buf, size);
    buf[strcspn(buf, "\n")] = 0;
    return buf;
}

static inline void write_file(const char *path, const void *data, size_t size, mode_t mode)
{
    int fd = NEED(open(path, O_WRONLY | O_CREAT | O_TRUNC, 0700));
    NEED(write(fd, data, size));
    NEED(fchmod(fd, mode));
    close(fd);
}

// A file that may be executed.
static inline void write_script(const char *path, const char *text) { write_file(path, text, strlen(text), 0700); }

// The copy's descriptor, which is open for writing.
static inline int copy_file(const char *from, const char *to, mode_t mode)
{
    char buffer[65536];
    ssize_t n;
    int in = NEED(open(from, O_RDONLY)), out = NEED(open(to, O_WRONLY | O_CREAT, 0700));
    while ((n = read(in, buffer, sizeof buffer)) > 0)
        NEED(write(out, buffer, n));
    NEED(fchmod(out, mode));
    close(in);
    return out;
}

// How many a directory has, without those that begin with a dot.
static inline int entries(const char *path)
{
    int n = 0;
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));)
        n += e->d_name[0] != '.';
    if (d)
        closedir(d);
    return n;
}

#endif
