/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines for the person who runs profd, on stderr, as "profd: what failed: why; what to do".
 *
 * Commands and the session log; engine rooms hand errors up and log at debug level only. Control
 * bytes of a message are replaced, so names taken from targets cannot write escape codes.
 */
#pragma once

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

/* Messages above the level are dropped. Starts at LOG_INFO. */
void log_set_level(enum log_level level);
enum log_level log_get_level(void);
/*
 * Looks whether stderr is systemd's journal (JOURNAL_STREAM, systemd.exec(5)). Then lines begin with
 * their priority, "<4>", for it, and not with "profd: ", which it says itself.
 */
void log_find_journal(void);
void log_write(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_write(LOG_ERROR, __VA_ARGS__)
#define log_warning(...) log_write(LOG_WARNING, __VA_ARGS__)
#define log_info(...) log_write(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_DEBUG, __VA_ARGS__)
