/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>

#include "kubemote/km_base.h"

static const char *const names[] = {
    [0] = "ok",
    [-KM_AGAIN] = "try again",
    [-KM_EOF] = "end of stream",
    [-KM_ERR_ARG] = "invalid argument",
    [-KM_ERR_CONFIG] = "invalid configuration",
    [-KM_ERR_FULL] = "table full",
    [-KM_ERR_TOO_LONG] = "too long",
    [-KM_ERR_SYNTAX] = "syntax error",
    [-KM_ERR_DEPTH] = "nested too deep",
    [-KM_ERR_PROTOCOL] = "protocol error",
    [-KM_ERR_TRUNCATED] = "unexpected end of stream",
    [-KM_ERR_IO] = "input/output error",
    [-KM_ERR_REFUSED] = "connection refused",
    [-KM_ERR_RESET] = "connection reset",
    [-KM_ERR_TIMEOUT] = "timed out",
    [-KM_ERR_UNREACHABLE] = "network unreachable",
    [-KM_ERR_NAME] = "name does not resolve",
    [-KM_ERR_TLS] = "TLS failure",
    [-KM_ERR_CERT] = "server certificate not accepted",
    [-KM_ERR_TLS_MEMORY] = "TLS memory exhausted",
    [-KM_ERR_STATUS] = "server answered with an error",
    [-KM_ERR_CANCELED] = "canceled",
    [-KM_ERR_REENTRANT] = "called from inside a callback",
    [-KM_ERR_NOT_FOUND] = "not found",
};

const char *km_strerror(int err)
{
    if (err >= 0)
        return names[0];
    /* Compared before the negation: -INT_MIN would overflow. */
    if (err <= -(int)(sizeof names / sizeof names[0]))
        return "unknown error";
    return names[-err];
}

bool km_err_is_link(int err)
{
    switch (err) {
    case KM_ERR_TRUNCATED:
    case KM_ERR_IO:
    case KM_ERR_REFUSED:
    case KM_ERR_RESET:
    case KM_ERR_TIMEOUT:
    case KM_ERR_UNREACHABLE:
    case KM_ERR_NAME:
    case KM_ERR_TLS:
    case KM_ERR_CERT:
    case KM_ERR_TLS_MEMORY:
        return true;
    default:
        return false;
    }
}

bool km_err_is_hostile(int err)
{
    switch (err) {
    case KM_ERR_TOO_LONG:
    case KM_ERR_SYNTAX:
    case KM_ERR_DEPTH:
    case KM_ERR_PROTOCOL:
        return true;
    default:
        return false;
    }
}

bool km_err_is_fatal(int err)
{
    return err == KM_ERR_ARG || err == KM_ERR_CONFIG || err == KM_ERR_REENTRANT;
}

void km_fault_clear(struct km_fault *fault)
{
    fault->code = KM_OK;
    fault->text[0] = '\0';
}

int km_fault_set(struct km_fault *fault, int code, const char *format, ...)
{
    va_list args;

    if (fault == NULL || fault->code != KM_OK)
        return code;
    fault->code = code;
    va_start(args, format);
    if (km_format_list(fault->text, sizeof fault->text, format, args) < 0)
        fault->text[0] = '\0';
    va_end(args);
    return code;
}
