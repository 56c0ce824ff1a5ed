/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Errors of a command that goes on behind each, and tells them together as kubectl does: one alone in the words of a single
 * error, several a line each; those of reading the input together as one, in brackets when there are several.
 */
#ifndef ERRORS_H
#define ERRORS_H

#include "cli_status.h"

/* An error of one object. verb and source as in struct fail. */
void errors_add(int err, const struct km_request *r, const char *verb, const char *source);
void errors_add_fail(const struct fail *f);
void errors_add_text(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* An error of the input. */
void errors_add_input(const char *format, ...) __attribute__((format(printf, 1, 2)));
bool errors_any(void);
/* Prints them and returns the exit status. input_first: those of the input before those of objects. */
int errors_finish(bool input_first);

#endif
