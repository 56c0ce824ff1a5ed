/* SPDX-License-Identifier: Apache-2.0 */
/* What mbedTLS asks of its platform, answered through km_port.h: time and random numbers. */
#include <mbedtls/platform_time.h>
#include <mbedtls/platform_util.h>
#include <psa/crypto.h>
#include <string.h>

#include "kubemote/km_port.h"

mbedtls_ms_time_t mbedtls_ms_time(void)
{
    return km_port_now_ms();
}

mbedtls_time_t km_tls_time(mbedtls_time_t *out)
{
    mbedtls_time_t now = (mbedtls_time_t)(km_port_wall_us() / 1000000);

    if (out != NULL)
        *out = now;
    return now;
}

struct tm *mbedtls_platform_gmtime_r(const mbedtls_time_t *time, struct tm *out)
{
    struct km_civil civil;

    km_time_civil((int64_t)*time * 1000000, &civil);
    memset(out, 0, sizeof *out);
    out->tm_year = civil.year - 1900;
    out->tm_mon = civil.month - 1;
    out->tm_mday = civil.day;
    out->tm_hour = civil.hour;
    out->tm_min = civil.minute;
    out->tm_sec = civil.second;
    return out;
}

psa_status_t mbedtls_psa_external_get_random(mbedtls_psa_external_random_context_t *context,
                                             uint8_t *out, size_t out_size, size_t *out_len)
{
    (void)context;
    *out_len = 0;
    if (km_port_entropy(out, out_size) != KM_OK)
        return PSA_ERROR_INSUFFICIENT_ENTROPY;
    *out_len = out_size;
    return PSA_SUCCESS;
}
