/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "kubemote/km_json_table.h"
#include "kubemote/km_kube.h"

#define RETRY_AFTER_MAX_S 60

KM_ELEMENT_TABLE(cause, KM_CAUSE_FIELDS)
KM_KIND_TABLE(status, "Status", KM_STATUS_FIELDS)
KM_KIND_TABLE(meta, "PartialObjectMetadata", KM_META_KIND_FIELDS)

static const struct {
    uint16_t code;
    const char *reason, *message;
} generic[] = {
    {400, "BadRequest", "the server rejected our request for an unknown reason"},
    {401, "Unauthorized", "the server has asked for the client to provide credentials"},
    {403, "Forbidden", "the server refused the request without saying why"},
    {404, "NotFound", "the server could not find the requested resource"},
    {405, "MethodNotAllowed", "the server does not allow this method on the requested resource"},
    {406, "NotAcceptable", "the server has no representation that we accept"},
    {409, "Conflict", "the server reported a conflict"},
    {415, "UnsupportedMediaType", "the server does not take this content type"},
    {422, "Invalid", "the server rejected our request due to an error in our request"},
    {429, "TooManyRequests",
     "the server has received too many requests and has asked us to try again later"},
    {503, "ServiceUnavailable", "the server is currently unable to handle the request"},
    {504, "Timeout",
     "the server was unable to return a response in the time allotted, but may still be processing "
     "the request"},
};

void km_status_generic(struct km_status *s, uint16_t code, enum km_http_method method)
{
    const char *reason = code >= 500 ? "InternalError" : "Unknown";
    const char *message =
        code >= 500 ? "an error on the server has prevented the request from succeeding" : NULL;
    for (size_t i = 0; i < sizeof generic / sizeof generic[0]; i++) {
        if (generic[i].code != code)
            continue;
        reason = generic[i].reason;
        message = generic[i].message;
    }
    if (code == 409 && method == KM_POST)
        reason = "AlreadyExists";
    memset(s, 0, sizeof *s);
    s->code = code;
    (void)km_slice_copy(km_slice_of("Failure"), s->status, sizeof s->status);
    (void)km_slice_copy(km_slice_of(reason), s->reason, sizeof s->reason);
    if (message != NULL)
        (void)km_slice_copy(km_slice_of(message), s->message, sizeof s->message);
    else
        (void)snprintf(s->message, sizeof s->message,
                       "the server answered with the code %u and no explanation", (unsigned)code);
}

/* The reasons that apimachinery knows; for any other the code decides. */
static bool known_reason(const char *reason)
{
    static const char *const known[] = {
        "Unauthorized",
        "Forbidden",
        "NotFound",
        "AlreadyExists",
        "Conflict",
        "Gone",
        "Invalid",
        "ServerTimeout",
        "StoreReadError",
        "Timeout",
        "TooManyRequests",
        "BadRequest",
        "MethodNotAllowed",
        "NotAcceptable",
        "RequestEntityTooLarge",
        "UnsupportedMediaType",
        "InternalError",
        "Expired",
        "ServiceUnavailable",
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(known[i], reason) == 0)
            return true;
    }
    return false;
}

static bool is(const struct km_status *s, const char *reason, int64_t code)
{
    if (known_reason(s->reason))
        return strcmp(s->reason, reason) == 0;
    return s->code == code;
}

bool km_status_is_not_found(const struct km_status *s)
{
    return is(s, "NotFound", 404);
}

bool km_status_is_already_exists(const struct km_status *s)
{
    return strcmp(s->reason, "AlreadyExists") == 0;
}

bool km_status_is_conflict(const struct km_status *s)
{
    return is(s, "Conflict", 409);
}

bool km_status_is_forbidden(const struct km_status *s)
{
    return is(s, "Forbidden", 403);
}

bool km_status_is_unauthorized(const struct km_status *s)
{
    return is(s, "Unauthorized", 401);
}

bool km_status_is_too_many_requests(const struct km_status *s)
{
    return s->code == 429 || is(s, "TooManyRequests", 429);
}

bool km_status_is_invalid(const struct km_status *s)
{
    return is(s, "Invalid", 422);
}

bool km_status_is_expired(const struct km_status *s)
{
    return strcmp(s->reason, "Expired") == 0 || is(s, "Gone", 410);
}

bool km_status_is_too_large_rv(const struct km_status *s)
{
    for (uint16_t i = 0; i < s->causes_count; i++) {
        if (strcmp(s->causes[i].reason, "ResourceVersionTooLarge") == 0)
            return true;
    }
    return is(s, "Timeout", 504) && strncmp(s->message, "Too large resource version", 26) == 0;
}

int64_t km_status_retry_after_ms(const struct km_status *s)
{
    if (s->retry_after_s <= 0)
        return 0;
    return (s->retry_after_s < RETRY_AFTER_MAX_S ? s->retry_after_s : RETRY_AFTER_MAX_S) * 1000;
}
