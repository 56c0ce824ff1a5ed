/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "kubemote/km_json_table.h"
#include "kubemote/km_kube.h"

#define RETRY_AFTER_MAX_S 60

KM_ELEMENT_TABLE(cause, KM_CAUSE_FIELDS)
KM_KIND_TABLE(status, "Status", KM_STATUS_FIELDS)
KM_KIND_TABLE(meta, "PartialObjectMetadata", KM_META_KIND_FIELDS)

bool km_kind_has_meta(const struct km_kind *kind)
{
    if (kind == NULL || kind->field_count < km_kind_meta.field_count)
        return false;
    for (uint16_t i = 0; i < km_kind_meta.field_count; i++) {
        const struct km_field *f = &kind->fields[i], *meta = &km_kind_meta.fields[i];
        if (strcmp(f->path, meta->path) != 0 || f->offset != meta->offset || f->size != meta->size)
            return false;
    }
    return true;
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
        "StorageReadError",
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

static bool has_reason(const struct km_status *s, const char *reason)
{
    return strcmp(s->reason, reason) == 0;
}

bool km_status_is_not_found(const struct km_status *s)
{
    return is(s, "NotFound", 404);
}

bool km_status_is_already_exists(const struct km_status *s)
{
    return has_reason(s, "AlreadyExists");
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

bool km_status_is_bad_request(const struct km_status *s)
{
    return is(s, "BadRequest", 400);
}

bool km_status_is_method_not_supported(const struct km_status *s)
{
    return is(s, "MethodNotAllowed", 405);
}

bool km_status_is_not_acceptable(const struct km_status *s)
{
    return is(s, "NotAcceptable", 406);
}

bool km_status_is_unsupported_media_type(const struct km_status *s)
{
    return is(s, "UnsupportedMediaType", 415);
}

bool km_status_is_request_too_large(const struct km_status *s)
{
    return s->code == 413 || has_reason(s, "RequestEntityTooLarge");
}

bool km_status_is_internal_error(const struct km_status *s)
{
    return is(s, "InternalError", 500);
}

bool km_status_is_service_unavailable(const struct km_status *s)
{
    return is(s, "ServiceUnavailable", 503);
}

bool km_status_is_timeout(const struct km_status *s)
{
    return is(s, "Timeout", 504);
}

bool km_status_is_server_timeout(const struct km_status *s)
{
    return has_reason(s, "ServerTimeout");
}

bool km_status_is_store_read_error(const struct km_status *s)
{
    return has_reason(s, "StorageReadError");
}

bool km_status_is_resource_expired(const struct km_status *s)
{
    return has_reason(s, "Expired");
}

bool km_status_is_gone(const struct km_status *s)
{
    return is(s, "Gone", 410);
}

bool km_status_is_expired(const struct km_status *s)
{
    return km_status_is_resource_expired(s) || km_status_is_gone(s);
}

bool km_status_has_cause(const struct km_status *s, const char *type)
{
    for (uint16_t i = 0; i < s->causes_count; i++) {
        if (strcmp(s->causes[i].reason, type) == 0)
            return true;
    }
    return false;
}

bool km_status_suggests_delay(const struct km_status *s, int64_t *seconds)
{
    *seconds = s->retry_after_s > 0 ? s->retry_after_s : 0;
    return *seconds > 0 || km_status_is_server_timeout(s);
}

bool km_status_is_too_large_rv(const struct km_status *s)
{
    if (km_status_has_cause(s, "ResourceVersionTooLarge"))
        return true;
    return is(s, "Timeout", 504) && strncmp(s->message, "Too large resource version", 26) == 0;
}

int64_t km_status_retry_after_ms(const struct km_status *s)
{
    if (s->retry_after_s <= 0)
        return 0;
    return (s->retry_after_s < RETRY_AFTER_MAX_S ? s->retry_after_s : RETRY_AFTER_MAX_S) * 1000;
}
