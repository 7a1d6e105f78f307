// The files of users and groups, line by line, and who cannot be found.
// km-test: links=static-musl,dynamic-musl,static-kontain,dynamic-kontain
// km-test: truth=static-musl
#include "libc.h"
#include <grp.h>
#include <pwd.h>
#include <shadow.h>

static FILE *file(const char *text)
{
    FILE *f = fopen("entries", "w+");
    fputs(text, f);
    rewind(f);
    return f;
}

static void entries(void)
{
    FILE *f = file("one:x:1000:1001:First One,,:/home/one:/bin/sh\nno colons\ntwo::0:0:::\nthree:x:none:1:::\n"
                   "four:x:4294967295:4:a:b:c\nfive:x:5:5:short\nlast:x:7:8:gecos:/dir:/shell");
    struct passwd *p;
    while ((p = fgetpwent(f)))
        printf("%s %s %u %u %s %s %s\n", p->pw_name, p->pw_passwd, p->pw_uid, p->pw_gid, p->pw_gecos, p->pw_dir, p->pw_shell);
    rewind(f);
    p = fgetpwent(f);
    INT(putpwent(p, stdout));
    fclose(f);
    f = file("root:x:0:\nbad\nmany:x:10:a,b,c\nnone:x:x:\nlast:!:11:z");
    struct group *g;
    while ((g = fgetgrent(f))) {
        printf("%s %s %u", g->gr_name, g->gr_passwd, g->gr_gid);
        for (char **m = g->gr_mem; *m; m++)
            printf(" %s", *m);
        putchar('\n');
    }
    rewind(f);
    fgetgrent(f);
    g = fgetgrent(f);
    INT(putgrent(g, stdout));
    fclose(f);
    f = file("user:$1$x:18000:0:99999:7:::\nbad:line\nother:!::::::5:");
    struct spwd *s;
    while ((s = fgetspent(f)))
        printf("%s %s %ld %ld %ld %ld %ld %ld %lu\n", s->sp_namp, s->sp_pwdp, s->sp_lstchg, s->sp_min, s->sp_max, s->sp_warn,
            s->sp_inact, s->sp_expire, s->sp_flag);
    fclose(f);
    unlink("entries");
    struct passwd pw;
    struct group gr;
    struct passwd *pp = &pw;
    struct group *gg = &gr;
    char room[1024];
    INT(getpwnam_r("nobody of that name", &pw, room, sizeof room, &pp));
    INT(pp == NULL);
    INT(getgrgid_r(4000000001u, &gr, room, sizeof room, &gg));
    INT(gg == NULL);
    INT(getpwuid(4000000001u) == NULL);
    gid_t groups[4];
    int n = 4;
    INT(getgrouplist("nobody of that name", 12, groups, &n));
    printf("%d %u\n", n, groups[0]);
}

int main(void)
{
    entries();
    return 0;
}
