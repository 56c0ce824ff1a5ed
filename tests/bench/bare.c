/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mbedTLS alone, in the agent's configuration and memory: opens three connections with a client certificate, asks for a watch
 * on each, reads and discards. What the agent needs beyond this is its own.
 *
 *   bare --server IPV4:PORT --ca FILE --cert FILE --key FILE --node-name NAME --report FILE
 *   bare --server IPV4:PORT --ca FILE --path PATH --report FILE
 *
 * The files are DER. With a path it opens one connection, without a certificate, and asks for that. SIGUSR1 writes the
 * report.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <mbedtls/psa_util.h>
#include <mbedtls/ssl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <psa/crypto.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "port/mbedtls/alloc_priv.h"

#define LINKS 3

enum flag { SERVER, CA, REPORT, CERT, KEY, NODE, PATH, FLAGS };

static const char *const flag_names[FLAGS] = {
    [SERVER] = "--server",  [CA] = "--ca",         [CERT] = "--cert", [KEY] = "--key",
    [NODE] = "--node-name", [REPORT] = "--report", [PATH] = "--path",
};
static const char *flags[FLAGS];

struct link {
    int fd;
    mbedtls_ssl_context tls;
};

static struct link links[LINKS];
static int link_count;
static mbedtls_ssl_config config;
static mbedtls_x509_crt authority, certificate;
static mbedtls_pk_context key;
static volatile sig_atomic_t report_asked;

static void die(const char *what, int code)
{
    fprintf(stderr, "bare: %s: %d (errno %d)\n", what, code, errno);
    exit(1);
}

static void on_signal(int number)
{
    (void)number;
    report_asked = 1;
}

static void parse_flags(int argc, char **argv)
{
    for (int i = 1; i + 1 < argc; i += 2) {
        for (int f = 0; f < FLAGS; f++) {
            if (strcmp(argv[i], flag_names[f]) == 0)
                flags[f] = argv[i + 1];
        }
    }
    for (int f = 0; f < PATH; f++) {
        if (flags[f] == NULL && (f <= REPORT || flags[PATH] == NULL))
            die(flag_names[f], 0);
    }
    link_count = flags[PATH] == NULL ? LINKS : 1;
}

static size_t read_file(enum flag flag, unsigned char *out, size_t size)
{
    int fd = open(flags[flag], O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, out, size);

    if (n <= 0)
        die(flags[flag], fd);
    close(fd);
    return (size_t)n;
}

static void load_credentials(void)
{
    static unsigned char der[8192];
    size_t len = read_file(CA, der, sizeof der);
    int err = mbedtls_x509_crt_parse_der(&authority, der, len);

    if (err == 0 && flags[CERT] != NULL) {
        len = read_file(CERT, der, sizeof der);
        err = mbedtls_x509_crt_parse_der(&certificate, der, len);
    }
    if (err == 0 && flags[KEY] != NULL) {
        len = read_file(KEY, der, sizeof der);
        err = mbedtls_pk_parse_key(&key, der, len, NULL, 0, mbedtls_psa_get_random,
                                   MBEDTLS_PSA_RANDOM_STATE);
    }
    if (err != 0)
        die("credentials", err);
}

static void configure(void)
{
    int err = mbedtls_ssl_config_defaults(&config, MBEDTLS_SSL_IS_CLIENT,
                                          MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT);

    if (err == 0 && flags[CERT] != NULL)
        err = mbedtls_ssl_conf_own_cert(&config, &certificate, &key);
    if (err != 0)
        die("configuration", err);
    mbedtls_ssl_conf_ca_chain(&config, &authority, NULL);
    mbedtls_ssl_conf_rng(&config, mbedtls_psa_get_random, MBEDTLS_PSA_RANDOM_STATE);
}

static int send_some(void *ctx, const unsigned char *data, size_t len)
{
    const struct link *link = ctx;
    ssize_t n = send(link->fd, data, len, MSG_NOSIGNAL);

    return n < 0 ? -1 : (int)n;
}

static int receive_some(void *ctx, unsigned char *data, size_t len)
{
    const struct link *link = ctx;
    ssize_t n = recv(link->fd, data, len, 0);

    if (n >= 0)
        return (int)n;
    return errno == EAGAIN || errno == EINTR ? MBEDTLS_ERR_SSL_WANT_READ : -1;
}

static void dial(struct link *link, char *ip)
{
    struct sockaddr_in addr = {.sin_family = AF_INET};
    const char *colon = strchr(flags[SERVER], ':');

    if (colon == NULL || colon - flags[SERVER] >= INET_ADDRSTRLEN)
        die(flags[SERVER], 0);
    memcpy(ip, flags[SERVER], (size_t)(colon - flags[SERVER]));
    ip[colon - flags[SERVER]] = '\0';
    addr.sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
    link->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (inet_pton(AF_INET, ip, &addr.sin_addr) != 1 || link->fd < 0 ||
        connect(link->fd, (struct sockaddr *)&addr, sizeof addr) != 0)
        die("connect", link->fd);
    setsockopt(link->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
}

static void open_link(struct link *link)
{
    char ip[INET_ADDRSTRLEN];
    int err;

    dial(link, ip);
    mbedtls_ssl_init(&link->tls);
    err = mbedtls_ssl_setup(&link->tls, &config);
    if (err == 0)
        err = mbedtls_ssl_set_hostname(&link->tls, ip);
    if (err != 0)
        die("set up", err);
    mbedtls_ssl_set_bio(&link->tls, link, send_some, receive_some, NULL);
    while ((err = mbedtls_ssl_handshake(&link->tls)) == MBEDTLS_ERR_SSL_WANT_READ)
        ;
    if (err != 0)
        die("handshake", err);
}

static void ask(struct link *link, int which)
{
    static const char *const paths[2] = {
        "pods?watch=1&allowWatchBookmarks=true&fieldSelector=spec.nodeName%3D",
        "nodes?watch=1&allowWatchBookmarks=true&fieldSelector=metadata.name%3D",
    };
    char request[512];
    int len = snprintf(request, sizeof request,
                       "GET /api/v1/%s%s HTTP/1.1\r\nHost: %s\r\nUser-Agent: bare\r\n"
                       "Accept: application/json\r\n\r\n",
                       flags[PATH] != NULL ? flags[PATH] : paths[which & 1],
                       flags[PATH] != NULL ? "" : flags[NODE], flags[SERVER]);

    if (len < 0 || (size_t)len >= sizeof request ||
        mbedtls_ssl_write(&link->tls, (const unsigned char *)request, (size_t)len) != len)
        die("request", len);
}

/* Until the link has nothing more at once. */
static void discard(struct link *link)
{
    unsigned char bytes[2048];
    int n;

    do {
        n = mbedtls_ssl_read(&link->tls, bytes, sizeof bytes);
        if (n <= 0 && n != MBEDTLS_ERR_SSL_WANT_READ &&
            n != MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET)
            die("the link ended", n);
    } while (n != MBEDTLS_ERR_SSL_WANT_READ);
}

static void write_report(void)
{
    struct km_tls_stats stats = {0};
    char part[512];
    FILE *out;

    report_asked = 0;
    km_tls_alloc_stats(&stats);
    snprintf(part, sizeof part, "%s.part", flags[REPORT]);
    out = fopen(part, "w");
    if (out == NULL)
        die(part, 0);
    fprintf(out, "{\"arena_bytes\": %lu, \"slot_bytes\": %lu}\n", (unsigned long)stats.arena_max,
            (unsigned long)stats.slots_max * stats.slot_bytes);
    if (fclose(out) != 0 || rename(part, flags[REPORT]) != 0)
        die(flags[REPORT], 0);
}

static void read_for_ever(void)
{
    struct pollfd polls[LINKS];

    for (int i = 0; i < link_count; i++) {
        fcntl(links[i].fd, F_SETFL, O_NONBLOCK);
        discard(&links[i]);
        polls[i] = (struct pollfd){.fd = links[i].fd, .events = POLLIN};
    }
    for (;;) {
        int ready = poll(polls, (nfds_t)link_count, -1);

        if (report_asked)
            write_report();
        for (int i = 0; ready > 0 && i < link_count; i++) {
            if (polls[i].revents != 0)
                discard(&links[i]);
        }
    }
}

int main(int argc, char **argv)
{
    struct sigaction action = {.sa_handler = on_signal};

    parse_flags(argc, argv);
    sigaction(SIGUSR1, &action, NULL);
    if (psa_crypto_init() != PSA_SUCCESS)
        die("psa_crypto_init", 0);
    mbedtls_ssl_config_init(&config);
    mbedtls_x509_crt_init(&authority);
    mbedtls_x509_crt_init(&certificate);
    mbedtls_pk_init(&key);
    load_credentials();
    configure();
    for (int i = 0; i < link_count; i++) {
        open_link(&links[i]);
        ask(&links[i], i);
    }
    read_for_ever();
}
