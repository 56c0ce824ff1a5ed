/* SPDX-License-Identifier: Apache-2.0 */
/* Inside room log: the bounded line that a record is written to, and Go's quoting. */
#ifndef KM_LOG_PRIV_H
#define KM_LOG_PRIV_H

#include "kubemote/km_log.h"

/* Keeps the first `size` bytes of what is put and counts all of it. */
struct km_log_line {
    char *data;
    size_t size;
    size_t total;
};

void km_log_line_put(struct km_log_line *line, const char *data, size_t len);
void km_log_line_puts(struct km_log_line *line, const char *text);
/* value is the bits of an int64_t when it has a sign. */
void km_log_line_put_number(struct km_log_line *line, uint64_t value, bool has_sign);

#define KM_LOG_CUT_BEFORE " [truncated "
#define KM_LOG_CUT_AFTER " chars]"

/* The logger and its parents, innermost first; returns how many, at most KM_LOGGER_DEPTH. */
size_t km_log_chain(const struct km_logger *logger, const struct km_logger *chain[KM_LOGGER_DEPTH]);
bool km_log_is_named(const struct km_logger *logger);
/* Its names from the outermost on, dots between, each written by put. */
void km_log_put_name(struct km_log_line *line, const struct km_logger *logger,
                     void (*put)(struct km_log_line *line, struct km_slice text));
/* The length of the character at the start of text (RFC 3629: no overlong forms, no surrogates, at
   most U+10FFFF), or 0 when its first byte belongs to none. */
size_t km_log_decode(struct km_slice text, uint32_t *rune);

/*
 * Text in double quotes as Go's strconv.Quote writes it: \a \b \f \n \r \t \v \\ \", \xNN for other
 * control characters and for each byte that is no UTF-8, \uNNNN and \UNNNNNNNN for code points that
 * Go does not hold printable. The open and the closing quote are the caller's, so that a text in
 * parts can be written part by part (parts must not split a character).
 */
void km_log_line_escape(struct km_log_line *line, struct km_slice text);

/* Space in front of a line for the tag of syslog: "<30>kubemote[4294967295]: ". */
#define KM_LOG_TAG_BYTES 28

struct km_log_options;
void km_log_output_open(const struct km_log_options *options, int fd);
/* The line stands behind KM_LOG_TAG_BYTES of free space. KM_OK, or negative: nobody took it. */
int km_log_output_write(char *space, size_t len, char severity, int64_t now_ms);

/* Lengths of alternating runs from U+0080: not printable, printable, and so on; 7 bits a byte, low
   bits first, bit 7 set where another byte follows. What lies behind the last run is not printable.
   */
extern const uint8_t km_log_printable[];
extern const size_t km_log_printable_len;

#endif
