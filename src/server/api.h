/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON API, and what tells whether the daemon is well; man/profd-http.7.scd has it for people. */
#pragma once

struct exchange;

void api_answer_query(struct exchange *exchange);
void api_answer_list(struct exchange *exchange);
void api_answer_timeline(struct exchange *exchange);
void api_answer_deploys(struct exchange *exchange);
void api_answer_status(struct exchange *exchange);
void health_answer(struct exchange *exchange);
void ready_answer(struct exchange *exchange);
