/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the server is and who we are: from a kubeconfig file or from the service account of a pod. Rules of client-go's
 * clientcmd; what is not supported is an error that names the field and never ignored. Before the seal only.
 */
#ifndef KM_KUBECONFIG_H
#define KM_KUBECONFIG_H

#include "km_base.h"

/* ---- URL of a server ---- */

#define KM_HOST_SIZE 256
#define KM_ZONE_SIZE 16
#define KM_BASE_PATH_SIZE 256

struct km_url {
    bool tls; /* https */
    char
        host[KM_HOST_SIZE]; /* DNS name or bare IP literal: no brackets, no zone, no trailing dot */
    char zone[KM_ZONE_SIZE]; /* of an IPv6 literal: [fe80::1%25eth0] has "eth0"; else "" */
    uint16_t port;           /* 443 or 80 when the URL has none */
    char
        base_path[KM_BASE_PATH_SIZE]; /* "" or "/a/b": no slash at the end, escapes as they stood */
};

/*
 * Parses a kubeconfig's server: a URL, or host[:port], which means plain http as in client-go. Query and fragment are left
 * out. KM_ERR_CONFIG with the reason: another scheme, user information, no host, a port out of range, a host or a path with
 * bytes that have no place there, "." or ".." in the path, or a part that is too long. Pure.
 */
int km_url_parse(struct km_slice text, struct km_url *out, struct km_fault *fault);
/* host[:port] for the Host header: brackets around IPv6, no zone, no port when it is the scheme's own. KM_ERR_TOO_LONG. */
int km_url_authority(const struct km_url *url, char *out, size_t out_size);

/* ---- configuration ---- */

#define KM_KUBECONFIG_PATH_SIZE 256

enum km_kubeconfig_order {
    KM_KUBECONFIG_FIRST, /* kubectl's order: in-cluster only when there is no kubeconfig or it is empty */
    KM_IN_CLUSTER_FIRST, /* an agent's order: kubeconfig when this is no pod with a service account */
    KM_KUBECONFIG_ONLY,
};

/* All zero or NULL means: the usual search. */
struct km_kubeconfig_options {
    const char *path;                /* --kubeconfig: this file and no other, it must exist */
    const char *context;             /* --context: instead of current-context */
    enum km_kubeconfig_order order;  /* when path is NULL */
    const char *service_account_dir; /* NULL: /var/run/secrets/kubernetes.io/serviceaccount */
    /* Instead of what the context says, as kubectl's flags of these names. A server takes the file's tls-server-name away. */
    const char *cluster, *user, *server, *tls_server_name;
    const char *ca_file, *cert_file, *key_file, *token;
    /* Insecure: whoever is in the path of the connection can pose as the server and is shown all credentials. Both off: a file's
       insecure-skip-tls-verify: true is an error. */
    bool allow_insecure; /* what the file says counts */
    bool insecure; /* --insecure-skip-tls-verify: and the file's certificate authority does not */
    const char *as, *as_uid; /* impersonation; the groups take the place of the entry's */
    const char *const *as_groups;
    uint16_t as_group_count;
};

/*
 * The result. ca, cert, key and token point into `store`, each with a NUL behind its length: the struct must not be copied
 * or moved. With a plain http server ca, cert, key, token and password are empty, whatever the file says, as in client-go.
 */
struct km_kubeconfig {
    bool tls;
    char host[KM_HOST_SIZE]; /* as in struct km_url; never a link-local address with a zone */
    uint16_t port;
    char base_path[KM_BASE_PATH_SIZE];
    char authority[KM_HOST_SIZE + 8]; /* for the Host header */
    char server_name
        [KM_HOST_SIZE]; /* what the certificate must be for: tls-server-name, else host; never "" */
    char ns[64];        /* "default" when nothing says otherwise */
    char context[128];  /* "" in-cluster */
    char user[128];     /* that the context names; "" in-cluster or none; cut when longer */
    char source[KM_KUBECONFIG_PATH_SIZE]; /* the (first) file that was read, or "in-cluster" */
    bool in_cluster;
    bool
        user_missing; /* the context names a user that the file does not have: no credentials, as in client-go */
    struct km_slice ca;   /* PEM; empty: the system's roots */
    struct km_slice cert; /* PEM; empty: none */
    struct km_slice key;  /* PEM; wipe after use */
    struct km_slice
        token; /* without blanks around; empty: none. token_file wins as soon as it can be read */
    /* Whole lines with CRLF for every request, empty: none. Name and password (Authorization: Basic), and impersonation. */
    struct km_slice headers;
    /* Where they came from, "" when not from a file: to read them again when they change. */
    char ca_file[KM_KUBECONFIG_PATH_SIZE];
    char cert_file[KM_KUBECONFIG_PATH_SIZE];
    char key_file[KM_KUBECONFIG_PATH_SIZE];
    char token_file[KM_KUBECONFIG_PATH_SIZE];
    /* Lines of the file, for messages; 0: not there. */
    uint32_t ca_line, cert_line, key_line, user_line;
    /* The server is plain http, and the file has a CA or credentials, which nobody will see. */
    bool creds_unused;
    bool
        insecure; /* the server is not verified: only when the options asked for it, and ca is empty then */
    uint64_t fingerprint; /* of the certificates and the key in use, see km_client_tls */
    size_t store_len;
    char store[CONFIG_KM_CRED_BYTES];
};

/*
 * Finds and reads the configuration. With path NULL: the files that KUBECONFIG names, else ~/.kube/config, and the service
 * account, in opt->order. Several files in KUBECONFIG are merged by kubectl's rules: missing ones are skipped, a malformed one
 * is an error, the first current-context and the first entry of each name count, and paths in an entry are taken from the
 * folder of its file. Blocks for the disk. KM_ERR_CONFIG with "FILE:LINE: why"; then `out` holds no credentials.
 */
int km_kubeconfig_load(const struct km_kubeconfig_options *opt, struct km_kubeconfig *out,
                       struct km_fault *fault);
/* The service account alone: KUBERNETES_SERVICE_HOST and _PORT, token, ca.crt, namespace. KM_ERR_NOT_FOUND when the two
   variables are not set, else KM_OK or KM_ERR_CONFIG. dir NULL: the usual folder. */
int km_kubeconfig_load_in_cluster(const char *dir, struct km_kubeconfig *out,
                                  struct km_fault *fault);
/* A kubeconfig text in memory; name stands for the file, relative paths are taken from its folder. */
int km_kubeconfig_parse(const char *name, struct km_slice text, const char *context,
                        struct km_kubeconfig *out, struct km_fault *fault);
void km_kubeconfig_wipe_key(
    struct km_kubeconfig *config);                     /* zeroes the key's bytes; the rest stays */
void km_kubeconfig_wipe(struct km_kubeconfig *config); /* zeroes all credentials */

/* Strict base64 (RFC 4648, section 4: padding required, unused bits zero); line ends are skipped, as Go does. Returns the
   number of bytes, KM_ERR_SYNTAX or KM_ERR_TOO_LONG. */
int km_base64_decode(struct km_slice text, char *out, size_t out_size);

#endif
