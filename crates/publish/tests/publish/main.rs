// SPDX-License-Identifier: MIT OR Apache-2.0
//! Publishing without a broker: the queue in memory and on disk, and the thread with scripted brokers.

mod outbox;
mod outbox_model;
mod session;
mod webhook;
