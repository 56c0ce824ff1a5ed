/* SPDX-License-Identifier: Apache-2.0 */
/* Inside room log: the bounded line that a record is written to, and Go's quoting. */
#ifndef KM_LOG_PRIV_H
#define KM_LOG_PRIV_H

#include "kubemote/km_base.h"

/* Keeps the first `size` bytes of what is put and counts all of it. */
struct km_log_line {
    char *data;
    size_t size;
    size_t total;
};

void km_log_line_put(struct km_log_line *line, const char *data, size_t len);
void km_log_line_puts(struct km_log_line *line, const char *text);

/*
 * Text in double quotes as Go's strconv.Quote writes it: \a \b \f \n \r \t \v \\ \", \xNN for other
 * control characters and for each byte that is no UTF-8, \uNNNN and \UNNNNNNNN for code points that
 * Go does not hold printable. The open and the closing quote are the caller's, so that a text in
 * parts can be written part by part (parts must not split a character).
 */
void km_log_line_escape(struct km_log_line *line, struct km_slice text);

/* Lengths of alternating runs from U+0080: not printable, printable, and so on; 7 bits a byte, low
   bits first, bit 7 set where another byte follows. What lies behind the last run is not printable.
   */
extern const uint8_t km_log_printable[];
extern const size_t km_log_printable_len;

#endif
