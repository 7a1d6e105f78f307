// Many children at once, each with a pipe to the next; what goes in at one end comes out at the other, and all are found.
#include "tasks.h"
#include <poll.h>

enum { CHILDREN = 16 };
static int pipes[CHILDREN + 1][2], index_of, ready[2], go[2];

// Adds one to each byte.
static int passes(void)
{
    char buf[256];
    ssize_t n;
    int in = pipes[index_of][0], out = pipes[index_of + 1][1];
    for (int i = 0; i <= CHILDREN; i++)
        for (int j = 0; j < 2; j++)
            if (pipes[i][j] != in && pipes[i][j] != out)
                close(pipes[i][j]);
    while ((n = read(in, buf, sizeof buf)) > 0) {
        for (ssize_t i = 0; i < n; i++)
            buf[i]++;
        if (write(out, buf, n) != n)
            return 1;
    }
    return n < 0 ? 2 : 10 + index_of;
}

static void pipeline(void)
{
    pid_t pids[CHILDREN];
    char in[3000], out[3000], *at = out;
    int bad = 0;
    for (int i = 0; i <= CHILDREN; i++)
        NEED(pipe(pipes[i]));
    for (index_of = 0; index_of < CHILDREN; index_of++)
        pids[index_of] = child(passes);
    for (int i = 0; i < CHILDREN; i++) {
        close(pipes[i][0]);
        close(pipes[i + 1][1]);
    }
    for (unsigned i = 0; i < sizeof in; i++)
        in[i] = (char)(i * 7);
    EQ("in", write(pipes[0][1], in, sizeof in), sizeof in);
    close(pipes[0][1]);
    ssize_t n;
    while ((n = read(pipes[CHILDREN][0], at, (size_t)(out + sizeof out - at))) > 0)
        at += n;
    EQ("out", at - out, sizeof out);
    for (unsigned i = 0; i < sizeof in; i++)
        bad += out[i] != (char)(in[i] + CHILDREN);
    EQ("each has added one", bad, 0);
    for (int i = 0; i < CHILDREN; i++)
        bad += end_of(pids[i]) != 10 + i;
    EQ("ends", bad, 0);
    close(pipes[CHILDREN][0]);
}

static int starts(void)
{
    char byte = (char)index_of;
    NEED(write(ready[1], &byte, 1));
    // All at once, when the parent closes its end.
    close(go[1]);
    return read(go[0], &byte, 1) == 0 ? index_of : 99;
}

static void at_once(void)
{
    int codes[20] = {0}, bad = 0, status;
    char bytes[20];
    NEED(pipe(ready));
    NEED(pipe(go));
    for (index_of = 0; index_of < 20; index_of++)
        child(starts);
    for (int i = 0; i < 20; i++)
        NEED(read(ready[0], bytes + i, 1));
    EQ("all run, none has ended", waitpid(-1, NULL, WNOHANG), 0);
    close(go[1]);
    for (int i = 0; i < 20; i++) {
        NEED(wait(&status));
        int code = end_code(status);
        if (code < 20)
            codes[code]++;
    }
    for (int i = 0; i < 20; i++)
        bad += codes[i] != 1;
    EQ("each came once", bad, 0);
    ERR("no more", wait(NULL), ECHILD);
}

/* A tree: each has two, down to the third generation. */
static int depth;
static int tree(void)
{
    if (depth++ == 3)
        return 1;
    pid_t a = child(tree), b = child(tree);
    return end_of(a) + end_of(b) + 1;
}

int main(void)
{
    tasks_begin();
    pipeline();
    at_once();
    EQ("a tree", tree(), 15);
    return check_done();
}
