/* SPDX-License-Identifier: Apache-2.0 */
/* What the commands share: flags, the connection, output. One command runs per process, so all of it is static storage. */
#ifndef CLI_PRIV_H
#define CLI_PRIV_H

#include "kubemote/km_cli.h"
#include "kubemote/km_discovery.h"

/* ---- flags, as pflag reads them: --name=value, --name value, -n value, -nvalue, -Aw, anywhere, until "--" ---- */

enum flag_kind {
    FLAG_BOOL,   /* bool */
    FLAG_CHOICE, /* enum km_choice: unset when it does not stand there */
    FLAG_TEXT,   /* const char * */
    FLAG_INT,    /* int64_t */
    FLAG_TEXTS, /* struct flag_texts: may stand several times; an empty one counts where `without` is set */
    FLAG_MAYBE /* const char *, takes its value only with "=": `without` stands for one that has none */
};

#define FLAG_TEXT_COUNT 32
struct flag_texts {
    const char *items[FLAG_TEXT_COUNT];
    uint16_t count;
};

struct flag {
    const char *name;
    char letter; /* 0 = none */
    enum flag_kind kind;
    void *out;
    const char *help;
    const char *without; /* of FLAG_MAYBE */
};

#define CLI_WORD_COUNT 64
struct words {
    const char *items[CLI_WORD_COUNT];
    uint16_t count;
};

/* tables: ended by NULL; each table by an entry without name. What is no flag goes to `words`. KM_ERR_CONFIG in kubectl's
   words; *help is set for -h and --help. */
int flags_parse(const struct flag *const tables[], int argc, char **argv, struct words *words,
                bool *help, struct km_fault *fault);
/* By its name, or by its letter unless that is 0; NULL: there is none. */
const struct flag *flag_find(const struct flag *const tables[], struct km_slice name, char letter);
/* What stands for the value of a flag that has none; NULL = it needs one. */
const char *flag_implied(const struct flag *f);
/* The flags' lines of --help. */
void flags_print(const struct flag *table);

/* The flags of `kubemote run`, for its help. */
void run_flags_print(void);

/* ---- output ---- */

/* Standard output through one buffer; cli_flush before the process waits or ends. */
void out_bytes(const char *data, size_t len);
void out_slice(struct km_slice text);
void out_text(const char *text);
void out_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
void out_flush(void);
/* False after a write failed (a closed pipe): the command may stop. */
bool out_works(void);
/* Whether anything of this process reached standard output. */
bool out_went(void);
/* A line on standard error. */
void err_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same for a text of any length. */
void err_text(const char *text);
/* What a person at a terminal waits for, on one line of standard error, and its end. Nothing on a pipe. */
void progress(const char *format, ...) __attribute__((format(printf, 1, 2)));
void progress_end(void);
/* Spaces until a column is `width` wide; widths count characters, not bytes. */
void out_pad(size_t used, size_t width);
size_t text_width(struct km_slice text);

/* ---- a command's run ---- */

struct cli {
    const struct km_cli_env *env;
    /* Flags that every command takes. */
    const char *kubeconfig, *context, *cluster, *user, *ns, *server, *token, *ca_file, *cert_file,
        *key_file, *tls_server_name, *as, *as_uid, *request_timeout, *cache_dir;
    struct flag_texts as_groups;
    bool insecure;
    int64_t qps, burst, verbosity;
    /* Set by cli_connect. */
    const char *effective_ns; /* --namespace, else the context's */
    struct km_client client;
    struct km_lane lane; /* all requests but watches */
    struct km_lane watch_lane;
    struct km_discovery discovery;
    struct km_fault fault;
};
extern struct cli cli;
extern const struct flag cli_global_flags[];

/* Reads the kubeconfig and prepares client, lanes and discovery; no request goes out yet. cli.fault has words. */
int cli_connect(void);
/* NULL for an empty value, which is as if the flag were not there. */
const char *cli_given(const char *text);
/* Sends and waits; Warning headers are printed as kubectl does. */
int cli_call(struct km_request *r);
/* Prints an error in kubectl's words (spec of kubectl's checkErr) and returns the exit status, 1. r may be NULL. */
int cli_fail(int err, const struct km_request *r);
/* The error answer's message in full length. */
const char *cli_status_message(const struct km_request *r);
/* As cli_fail for a mistake in the arguments: "error: ..." */
int cli_usage_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same for an -o that a command has not, and for words that it does not take; command NULL: without a hint. */
int cli_bad_output(const char *output, const char *allowed);
int cli_unexpected(const char *what, const struct words *words, const char *command);
/* Seconds of --request-timeout and the like: a bare number, or Go's form (1m30s). Milliseconds, or negative. */
int64_t cli_duration_ms(const char *text);

/* ---- what is meant by "pods", "pod/a", "deploy/a svc/b", "pods a b" ---- */

struct target {
    const char *resource; /* as typed */
    const char *name;     /* NULL = all of them */
};
#define CLI_TARGET_COUNT CLI_WORD_COUNT
struct targets {
    struct target items[CLI_TARGET_COUNT];
    uint16_t count;
    bool slashes; /* they were typed as TYPE/NAME */
};
/* Words into targets: TYPE[,TYPE...] [NAME...] or TYPE/NAME... The storage for split words is static. KM_ERR_CONFIG in
   kubectl's words. */
int targets_parse(const struct words *words, struct targets *out, struct km_fault *fault);
/* Categories ("all") into the types that they stand for. May ask the server. */
int targets_expand(struct targets *targets, struct km_fault *fault);

/* ---- commands ---- */

struct command {
    const char *name, *summary;
    const char *usage; /* usage line and examples */
    const struct flag *flags;
    int (*run)(const struct words *words); /* exit status */
};
extern const struct command *const cli_commands[]; /* ended by NULL */

#endif
