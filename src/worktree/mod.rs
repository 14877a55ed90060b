//! worktree.
