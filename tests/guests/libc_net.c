// Networking without a network: addresses as text, names that are numbers, services, interfaces, and the resolver's messages.
// km-test: links=static-musl,dynamic-musl,static-kontain,dynamic-kontain
// km-test: truth=static-musl
#include "libc.h"
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/ether.h>
#include <netinet/in.h>
#include <resolv.h>
#include <sys/socket.h>

static void show_address(const struct sockaddr *sa)
{
    char text[INET6_ADDRSTRLEN] = "";
    if (sa->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const void *)sa;
        printf("%s port %d", inet_ntop(AF_INET, &in->sin_addr, text, sizeof text), ntohs(in->sin_port));
    } else {
        const struct sockaddr_in6 *in = (const void *)sa;
        printf("%s port %d scope %u", inet_ntop(AF_INET6, &in->sin6_addr, text, sizeof text), ntohs(in->sin6_port),
            in->sin6_scope_id);
    }
}

static void texts(void)
{
    static const char *const addresses[] = {
        "0.0.0.0", "127.0.0.1", "255.255.255.255", "256.1.1.1", "1.2.3", "1.2", "1", "0x7f.1", "017.1", "08.1", "1.2.3.4.5",
        "1.2.3.4 ", " 1.2.3.4", "01.2.3.4", "4294967295", "4294967296", "1.16777216", "1.2.65536", "",
        "a.b.c.d", "1..2", "::", "::1", "1::", "fe80::1%lo", "2001:db8::ff00:42:8329",
        "2001:0db8:0000:0000:0000:ff00:0042:8329", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7::",
        "::2:3:4:5:6:7:8", "1::3::5", "::ffff:1.2.3.4",
        "::1.2.3.4", "::ffff:1.2.3", "1:2:3:4:5:6:1.2.3.4", "12345::", ":", ":::", "g::", "::FFFF", "1:0:0:4:0:0:0:8",
        "1:0:0:2:0:0:3:4", "0:0:0:0:0:ffff:0:1", "64:ff9b::1.2.3.4", "::1/64"};
    for (size_t i = 0; i < COUNT(addresses); i++) {
        struct in_addr a4 = {0}, a = {0};
        struct in6_addr a6 = {0};
        char text4[INET_ADDRSTRLEN], text6[INET6_ADDRSTRLEN];
        int r4 = inet_pton(AF_INET, addresses[i], &a4), r6 = inet_pton(AF_INET6, addresses[i], &a6),
            ra = inet_aton(addresses[i], &a);
        printf("%s: %d", addresses[i], r4);
        if (r4 == 1)
            printf(" %s", inet_ntop(AF_INET, &a4, text4, sizeof text4));
        printf(", %d", r6);
        if (r6 == 1)
            printf(" %s", inet_ntop(AF_INET6, &a6, text6, sizeof text6));
        printf(", %d %s, %08x, %08x\n", ra, ra ? inet_ntoa(a) : "", inet_addr(addresses[i]), inet_network(addresses[i]));
    }
    char text[8];
    INT(inet_pton(99, "1.2.3.4", text));
    INT(inet_ntop(AF_INET, &(struct in_addr){0xffffffff}, text, sizeof text) == NULL);
    INT(inet_ntop(99, "", text, sizeof text) == NULL);
    struct in_addr made = inet_makeaddr(0x7f, 1);
    printf("%s %x %x\n", inet_ntoa(made), inet_lnaof(made), inet_netof(made));
    printf("%x %x\n", htonl(0x01020304), ntohs(0x0102));
    struct ether_addr *ether = ether_aton("01:23:45:67:89:aB");
    TEXT(ether ? ether_ntoa(ether) : NULL);
    INT(ether_aton("01:23:45:67:89") == NULL);
}

static void lookup(const char *node, const char *service, int flags, int family, int type)
{
    struct addrinfo hints = {.ai_flags = flags, .ai_family = family, .ai_socktype = type}, *list = NULL;
    int r = getaddrinfo(node, service, &hints, &list);
    printf("%s %s %#x %d %d: %d %s\n", node ? node : "-", service ? service : "-", (unsigned)flags, family, type, r,
        r ? gai_strerror(r) : "");
    for (struct addrinfo *a = list; a && !r; a = a->ai_next) {
        printf("  %d %d %d ", a->ai_family, a->ai_socktype, a->ai_protocol);
        show_address(a->ai_addr);
        printf(" %s\n", a->ai_canonname ? a->ai_canonname : "");
    }
    if (!r)
        freeaddrinfo(list);
}

static void lookups(void)
{
    static const char *const nodes[] = {"127.0.0.1", "::1", "1.2", "fe80::1%1", "fe80::1%lo", "fe80::1%none",
        "::ffff:1.2.3.4", "not a number", "300.1.1.1", NULL};
    static const char *const services[] = {"80", "0", "65535", "65536", "-1", "80x", "", NULL};
    for (size_t n = 0; n < COUNT(nodes); n++)
        for (size_t s = 0; s < COUNT(services); s++)
            lookup(nodes[n], services[s], AI_NUMERICHOST | AI_NUMERICSERV, AF_UNSPEC, SOCK_STREAM);
    static const int families[] = {AF_UNSPEC, AF_INET, AF_INET6, AF_UNIX, 99};
    static const int types[] = {0, SOCK_STREAM, SOCK_DGRAM, SOCK_RAW, 77};
    for (size_t f = 0; f < COUNT(families); f++)
        for (size_t t = 0; t < COUNT(types); t++) {
            lookup("127.0.0.1", "53", AI_NUMERICHOST, families[f], types[t]);
            lookup("::1", NULL, AI_NUMERICHOST | AI_CANONNAME, families[f], types[t]);
            lookup(NULL, "7", AI_PASSIVE | AI_NUMERICSERV, families[f], types[t]);
        }
    lookup("1.2.3.4", "1", AI_V4MAPPED | AI_NUMERICHOST, AF_INET6, SOCK_STREAM);
    lookup("1.2.3.4", "1", AI_V4MAPPED | AI_ALL | AI_NUMERICHOST, AF_INET6, SOCK_STREAM);
    lookup("1.2.3.4", "1", 1 << 20, AF_INET, SOCK_STREAM);
    lookup("1.2.3.4", "http none", AI_NUMERICSERV, AF_INET, SOCK_STREAM);
    for (int e = -13; e < 2; e++)
        TEXT(gai_strerror(e));
    TEXT(hstrerror(1));
    TEXT(hstrerror(9));

    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(54321), .sin_addr = {htonl(0x01020304)}};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(54321), .sin6_addr = {{{0xfe, 0x80, [15] = 9}}},
        .sin6_scope_id = 1};
    char host[NI_MAXHOST], service[NI_MAXSERV];
    static const int flags[] = {NI_NUMERICHOST | NI_NUMERICSERV, NI_NUMERICHOST | NI_NUMERICSERV | NI_DGRAM,
        NI_NUMERICHOST | NI_NUMERICSERV | NI_NUMERICSCOPE};
    for (size_t f = 0; f < COUNT(flags); f++) {
        INT(getnameinfo((void *)&in, sizeof in, host, sizeof host, service, sizeof service, flags[f]));
        printf("%s %s\n", host, service);
        INT(getnameinfo((void *)&in6, sizeof in6, host, sizeof host, service, sizeof service, flags[f]));
        printf("%s %s\n", host, service);
    }
    INT(getnameinfo((void *)&in, sizeof in, host, 3, NULL, 0, NI_NUMERICHOST));
    INT(getnameinfo((void *)&in, sizeof in, NULL, 0, service, 2, NI_NUMERICSERV));
    INT(getnameinfo((void *)&in, 3, host, sizeof host, NULL, 0, NI_NUMERICHOST));
    in.sin_family = 99;
    INT(getnameinfo((void *)&in, sizeof in, host, sizeof host, NULL, 0, NI_NUMERICHOST));
}

static void names(void)
{
    struct hostent *h = gethostbyname("10.1.2.3");
    if (h)
        printf("%s %d %d %s\n", h->h_name, h->h_addrtype, h->h_length, inet_ntoa(*(struct in_addr *)h->h_addr_list[0]));
    h = gethostbyname2("::5", AF_INET6);
    if (h)
        printf("%s %d %d\n", h->h_name, h->h_addrtype, h->h_length);
    INT(getservbyname("no such service", "tcp") == NULL);
    INT(getservbyport(htons(1), "none") == NULL);
    struct protoent *p = getprotobyname("tcp");
    printf("%s %d\n", p ? p->p_name : "none", p ? p->p_proto : -1);
    p = getprotobynumber(17);
    printf("%s %d\n", p ? p->p_name : "none", p ? p->p_proto : -1);
    INT(getprotobyname("none") == NULL);
    setprotoent(0);
    for (int i = 0; i < 5 && (p = getprotoent()); i++)
        printf("%s %d\n", p->p_name, p->p_proto);
    INT(getnetbyname("none") == NULL);
    INT(if_nametoindex("lo"));
    INT(if_nametoindex("none of that name"));
    INT(if_nametoindex("none"));
    char name[IF_NAMESIZE] = "";
    TEXT(if_indextoname(1, name));
    TEXT(if_indextoname(4000000, name));
    struct if_nameindex *list = if_nameindex();
    INT(list != NULL);
    for (struct if_nameindex *i = list; i && i->if_index; i++)
        if (i->if_index == 1)
            TEXT(i->if_name);
    if_freenameindex(list);
    struct ifaddrs *all = NULL;
    INT(getifaddrs(&all));
    for (struct ifaddrs *i = all; i; i = i->ifa_next)
        if (strcmp(i->ifa_name, "lo") == 0 && i->ifa_addr && i->ifa_addr->sa_family == AF_INET && i->ifa_netmask) {
            show_address(i->ifa_addr);
            printf(" up %d ", !!(i->ifa_flags & IFF_LOOPBACK));
            show_address(i->ifa_netmask);
            putchar('\n');
        }
    freeifaddrs(all);
}

static void messages(void)
{
    unsigned char query[512], packet[64] = "\x03www\x07""example\x03org\0\xc0\x04\x02xx\xc0\x0c\xc0\x1b\x05trunc";
    char name[256];
    INT(dn_expand(packet, packet + 64, packet, name, sizeof name));
    TEXT(name);
    static const int starts[] = {4, 17, 19, 22, 24, 26, 63};
    for (size_t i = 0; i < COUNT(starts); i++) {
        strcpy(name, "#");
        int n = dn_expand(packet, packet + 33, packet + starts[i], name, sizeof name);
        printf("from %d: %d %s\n", starts[i], n, n < 0 ? "" : name);
    }
    INT(dn_expand(packet, packet + 64, packet, name, 5));
    INT(dn_skipname(packet, packet + 64));
    INT(dn_skipname(packet + 17, packet + 64));
    INT(dn_comp("www.example.org", query, sizeof query, NULL, NULL));
    BYTES(query, 17);
    unsigned char *pointers[8] = {query, NULL};
    INT(dn_comp("www.example.org", query, sizeof query, pointers, pointers + 8));
    INT(dn_comp("ftp.example.org", query + 17, 100, pointers, pointers + 8));
    BYTES(query, 23);
    INT(dn_comp("a..b", query, sizeof query, NULL, NULL));
    INT(dn_comp("too.long", query, 4, NULL, NULL));
    memset(query, 0, sizeof query);
    int n = res_mkquery(0, "example.org", 1, 28, NULL, 0, NULL, query, sizeof query);
    printf("%d ", n);
    // The first two bytes are the clock's.
    show_bytes(query + 2, n > 2 ? (size_t)n - 2 : 0);
    putchar('\n');
    INT(res_mkquery(0, "example.org", 1, 1, NULL, 0, NULL, query, 10));
    INT(res_mkquery(0, "a..b", 1, 1, NULL, 0, NULL, query, sizeof query));
    static const unsigned char answer[] = "\x12\x34\x81\x80\0\1\0\1\0\0\0\0\1a\2bc\0\0\1\0\1"
                                          "\xc0\x0c\0\1\0\1\0\0\x0e\x10\0\4\x0a\1\2\3";
    ns_msg msg;
    ns_rr rr;
    INT(ns_initparse(answer, sizeof answer - 1, &msg));
    INT(ns_msg_id(msg));
    INT(ns_msg_getflag(msg, ns_f_qr));
    INT(ns_msg_getflag(msg, ns_f_rcode));
    INT(ns_parserr(&msg, ns_s_qd, 0, &rr));
    TEXT(ns_rr_name(rr));
    INT(ns_parserr(&msg, ns_s_an, 0, &rr));
    printf("%s %d %d %u %d\n", ns_rr_name(rr), ns_rr_type(rr), ns_rr_class(rr), ns_rr_ttl(rr), ns_rr_rdlen(rr));
    INT(ns_parserr(&msg, ns_s_an, 1, &rr));
    INT(ns_initparse(answer, 20, &msg));
    printf("%u %lu\n", ns_get16(answer), ns_get32(answer));
}

int main(void)
{
    texts();
    lookups();
    names();
    messages();
    return 0;
}
