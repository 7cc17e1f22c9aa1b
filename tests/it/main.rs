//! Behaviour of the whole appliance; one binary, a module per behaviour family.
