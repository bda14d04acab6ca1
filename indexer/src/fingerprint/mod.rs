//! Words to fingerprints, all made from one recipe.
