//! Every option: name, default, one sentence.
