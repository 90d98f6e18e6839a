/* SPDX-License-Identifier: Apache-2.0 */
/* The page for people: files that are part of the program. */
#pragma once

struct exchange;

/* By the request's path. */
void page_answer(struct exchange *exchange);
