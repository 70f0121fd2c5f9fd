//! Composition root: starts sink, registries and connections bottom-up, watches them, stops them in data order.
