// Names of threads, and how /proc shows threads.
#include "files.h"
#include "tasks.h"
#include <sys/prctl.h>

enum { THREADS = 5 };
static pthread_barrier_t named, done;
static pid_t ids[THREADS];

static const char *of_thread(pid_t id, const char *file)
{
    static char buf[4096];
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d/%s", id, file);
    return text_of(path, buf, sizeof buf) ? buf : "none";
}

static const char *comm_of(pid_t id)
{
    char *text = (char *)of_thread(id, "comm");
    text[strcspn(text, "\n")] = 0;
    return text;
}

static void *names(void *arg)
{
    long me = (long)arg;
    char name[32];
    snprintf(name, sizeof name, "worker %ld of five", me);
    ids[me] = tid();
    prctl(PR_SET_NAME, name);
    pthread_barrier_wait(&named);
    pthread_barrier_wait(&done);
    memset(name, 0, sizeof name);
    prctl(PR_GET_NAME, name);
    return strdup(name);
}

static long number_after(const char *text, const char *key)
{
    const char *at = strstr(text, key);
    return at ? atol(at + strlen(key)) : -1;
}

static int tasks(int *mine)
{
    int n = 0;
    DIR *d = opendir("/proc/self/task");
    for (struct dirent *e; d && (e = readdir(d));) {
        if (e->d_name[0] == '.')
            continue;
        n++;
        for (int i = 0; i < THREADS; i++)
            *mine += atoi(e->d_name) == ids[i];
    }
    if (d)
        closedir(d);
    return n;
}

static void *comm_at_start(void *arg)
{
    prctl(PR_GET_NAME, arg);
    return NULL;
}

int main(void)
{
    tasks_begin();
    pthread_t t[THREADS];
    char name[32] = "", want[64];
    int mine = 0;
    STR("main's", comm_of(getpid()), "threads_names");
    EQ("set", pthread_setname_np(pthread_self(), "first"), 0);
    STR("as set", comm_of(getpid()), "first");
    EQ("too long", pthread_setname_np(pthread_self(), "sixteen letters."), ERANGE);
    join(thread(comm_at_start, name));
    STR("a new one has its maker's", name, "first");
    pthread_barrier_init(&named, NULL, THREADS + 1);
    pthread_barrier_init(&done, NULL, THREADS + 1);
    for (long i = 0; i < THREADS; i++)
        t[i] = thread(names, (void *)i);
    pthread_barrier_wait(&named);
    STR("the first one's", comm_of(ids[0]), "worker 0 of fiv");
    STR("the last one's", comm_of(ids[4]), "worker 4 of fiv");
    STR("mine is untouched", comm_of(getpid()), "first");
    EQ("another's", pthread_setname_np(t[1], "renamed"), 0);
    STR("seen", comm_of(ids[1]), "renamed");
    EQ("asked for", pthread_getname_np(t[2], name, sizeof name), 0);
    STR("another's, asked for", name, "worker 2 of fiv");
    // A joined thread leaves the list a moment later.
    UNTIL((mine = 0, tasks(&mine)) == THREADS + 1);
    EQ("all are listed", mine, THREADS);
    EQ("Threads", number_after(of_thread(getpid(), "status"), "\nThreads:\t"), THREADS + 1);
    EQ("Pid of another", number_after(of_thread(ids[3], "status"), "\nPid:\t"), ids[3]);
    EQ("its Tgid", number_after(of_thread(ids[3], "status"), "\nTgid:\t"), getpid());
    snprintf(want, sizeof want, "%d (worker 3 of fiv) ", ids[3]);
    CHECK("stat", strncmp(of_thread(ids[3], "stat"), want, strlen(want)) == 0);
    snprintf(want, sizeof want, "/proc/self/task/%d/comm", ids[4]);
    int fd = open(want, O_WRONLY);
    EQ("written to /proc", write(fd, "by hand", 7), 7);
    close(fd);
    STR("nobody's", of_thread(0x3fffffff, "comm"), "none");
    pthread_barrier_wait(&done);
    static const char *const last[] = {"worker 0 of fiv", "renamed", "worker 2 of fiv", "worker 3 of fiv", "by hand"};
    for (int i = 0; i < THREADS; i++) {
        char *own = join(t[i]);
        STR("its own view", own, last[i]);
        free(own);
    }
    UNTIL(tasks(&mine) == 1);
    printf("ok one is left\n");
    return check_done();
}
