//! The graph in front of `warp log --graph`: columns of lines of descent.

use warp::id::CommitId;

/// Draws commits in the order in which they come, children before parents.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    /// The commit that each column waits for.
    columns: Vec<CommitId>,
    drawn: std::collections::HashSet<CommitId>,
}

/// What stands before the lines of one commit.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Rows {
    /// Before its first line.
    pub(crate) first: String,
    /// Before its other lines.
    pub(crate) others: String,
    /// Lines that join columns afterwards.
    pub(crate) joins: Vec<String>,
}

impl Graph {
    /// Takes the next commit.
    pub(crate) fn next(&mut self, id: CommitId, parents: &[CommitId]) -> Rows {
        let column = self.columns.iter().position(|waiting| *waiting == id).unwrap_or_else(|| {
            self.columns.push(id);
            self.columns.len() - 1
        });
        self.drawn.insert(id);
        let first = self.row(|at| if at == column { "* " } else { "| " });
        let mut joins = self.join_repeated(id, column);
        // A clock that went backwards may have shown a parent before its child: nothing waits for it any more.
        let mut open =
            parents.iter().copied().filter(|parent| !self.drawn.contains(parent)).collect::<Vec<_>>();
        open.dedup();
        let others = self.row(|at| if at == column && open.is_empty() { "  " } else { "| " });
        joins.extend(self.replace(column, &open));
        Rows { first, others, joins }
    }

    fn row(&self, symbol: impl Fn(usize) -> &'static str) -> String {
        (0..self.columns.len()).map(symbol).collect()
    }

    /// Other columns that waited for the same commit end here.
    fn join_repeated(&mut self, id: CommitId, column: usize) -> Vec<String> {
        let mut joins = Vec::new();
        while let Some(other) = (column + 1..self.columns.len()).find(|at| self.columns[*at] == id) {
            joins.push(self.row(|at| if at == other { "/ " } else { "| " }).trim_end().to_owned());
            self.columns.remove(other);
        }
        joins
    }

    /// The column of a commit now waits for its parents; every further parent opens a column to the right.
    fn replace(&mut self, column: usize, parents: &[CommitId]) -> Vec<String> {
        let Some((first, more)) = parents.split_first() else {
            self.columns.remove(column);
            return Vec::new();
        };
        self.columns[column] = *first;
        let mut joins = Vec::new();
        for parent in more.iter().filter(|parent| *parent != first) {
            self.columns.insert(column + 1, *parent);
            joins.push(self.row(|at| if at == column + 1 { "\\ " } else { "| " }).trim_end().to_owned());
        }
        joins
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u8) -> CommitId {
        CommitId::new([n; 32])
    }

    fn draw(commits: &[(u8, &[u8])]) -> String {
        let mut graph = Graph::default();
        let mut out = String::new();
        for (commit, parents) in commits {
            let parents: Vec<_> = parents.iter().map(|n| id(*n)).collect();
            let rows = graph.next(id(*commit), &parents);
            out += &format!("{}{commit}\n", rows.first);
            rows.joins.iter().for_each(|row| out += &format!("{row}\n"));
        }
        assert_eq!(graph.columns, []);
        out
    }

    #[test]
    fn a_line_of_commits_is_one_column() {
        assert_eq!(draw(&[(3, &[2]), (2, &[1]), (1, &[])]), "* 3\n* 2\n* 1\n");
    }

    #[test]
    fn two_branches_meet_at_their_common_parent() {
        assert_eq!(draw(&[(3, &[1]), (2, &[1]), (1, &[])]), "* 3\n| * 2\n* | 1\n| /\n");
    }

    #[test]
    fn a_merge_opens_a_column() {
        assert_eq!(
            draw(&[(4, &[3, 2]), (3, &[1]), (2, &[1]), (1, &[])]),
            "* 4\n| \\\n* | 3\n| * 2\n* | 1\n| /\n"
        );
    }

    #[test]
    fn a_parent_before_its_child_leaves_no_open_column() {
        assert_eq!(draw(&[(1, &[]), (2, &[1])]), "* 1\n* 2\n");
    }
}
