//! Small trained models that read features and no encoder: gradient-boosted trees, microseconds a question.
//!
//! They decide about headlines, joins and moves of fragments.

/// Of the trees' file: `u32` features, `u32` trees, for each tree the `u32` place of its first node, then nodes of eight
/// bytes; all little-endian. A node is `u16` feature (65,535: none), `u16` steps from here to its right child (the left
/// one comes next), and `f32`: the highest value that goes left, or what the leaf adds to the logit.
#[derive(Debug, Clone)]
pub struct Trees {
    features: usize,
    roots: Vec<usize>,
    nodes: Vec<Node>,
}

#[derive(Debug, Clone, Copy)]
struct Node {
    feature: u16,
    right: u16,
    value: f32,
}

/// The feature of a node that asks nothing.
const LEAF: u16 = u16::MAX;

impl Trees {
    /// One of the models that are part of the program.
    pub(super) fn embedded(name: &str, bytes: &[u8], features: usize) -> Self {
        let trees = Self::parse(bytes).unwrap_or_else(|| panic!("models/news/{name} is damaged"));
        assert_eq!(
            trees.features, features,
            "models/news/{name} was trained on other features"
        );
        trees
    }

    /// `None` unless every path from every root ends in a leaf and asks about features that there are.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let (words, rest) = bytes.as_chunks::<4>();
        let word = |i: usize| words.get(i).map(|&word| u32::from_le_bytes(word) as usize);
        let (features, trees) = (word(0)?, word(1)?);
        let roots: Vec<usize> = (0..trees).map(|i| word(2 + i)).collect::<Option<_>>()?;
        let (pairs, odd) = words.get(2 + trees..)?.as_chunks::<2>();
        let nodes: Vec<Node> = pairs
            .iter()
            .map(|&[[a, b, c, d], value]| Node {
                feature: u16::from_le_bytes([a, b]),
                right: u16::from_le_bytes([c, d]),
                value: f32::from_le_bytes(value),
            })
            .collect();
        let leads_on = |(i, node): (usize, &Node)| {
            node.feature == LEAF
                || usize::from(node.feature) < features
                    && node.right > 1
                    && i + usize::from(node.right) < nodes.len()
        };
        let sound = rest.is_empty()
            && odd.is_empty()
            && roots.iter().all(|&root| root < nodes.len())
            && nodes.iter().enumerate().all(leads_on);
        sound.then_some(Self {
            features,
            roots,
            nodes,
        })
    }

    /// Above 0: rather yes.
    pub fn logit(&self, features: &[f32]) -> f32 {
        self.roots
            .iter()
            .map(|&root| self.leaf(root, features))
            .sum()
    }

    fn leaf(&self, root: usize, features: &[f32]) -> f32 {
        let mut at = root;
        loop {
            let node = self.nodes[at];
            if node.feature == LEAF {
                return node.value;
            }
            let goes_left = features[usize::from(node.feature)] <= node.value;
            at += if goes_left {
                1
            } else {
                usize::from(node.right)
            };
        }
    }

    /// The probability of yes.
    pub fn probability(&self, features: &[f32]) -> f32 {
        1.0 / (1.0 + (-self.logit(features)).exp())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A leaf, and a tree that asks whether the second feature is at most 0.5.
    fn bytes() -> Vec<u8> {
        let header = [2u32, 2, 0, 1];
        let nodes: [(u16, u16, f32); 4] = [
            (LEAF, 0, -1.0),
            (1, 2, 0.5),
            (LEAF, 0, 3.0),
            (LEAF, 0, 0.25),
        ];
        let mut out: Vec<u8> = header.iter().flat_map(|n| n.to_le_bytes()).collect();
        for (feature, right, value) in nodes {
            out.extend(feature.to_le_bytes());
            out.extend(right.to_le_bytes());
            out.extend(value.to_le_bytes());
        }
        out
    }

    #[test]
    fn two_trees_by_hand() {
        let trees = Trees::embedded("test", &bytes(), 2);
        assert_eq!(trees.logit(&[9.0, 0.5]), 2.0);
        assert_eq!(trees.logit(&[9.0, 0.6]), -0.75);
        assert!(trees.probability(&[0.0, 0.0]) > 0.85);
    }

    /// What scikit-learn says of the same rows (`training/jianbao_training/trees.py`).
    #[test]
    fn says_what_its_training_said() {
        #[derive(serde::Deserialize)]
        struct Row {
            features: Vec<f32>,
            logit: f32,
        }
        let models: [(&[u8], &str); 4] = [
            (
                include_bytes!("../../../models/news/headline.trees"),
                include_str!("../../../tests/fixtures/headline.trees.json"),
            ),
            (
                include_bytes!("../../../models/news/headline_context.trees"),
                include_str!("../../../tests/fixtures/headline_context.trees.json"),
            ),
            (
                include_bytes!("../../../models/news/joins.trees"),
                include_str!("../../../tests/fixtures/joins.trees.json"),
            ),
            (
                include_bytes!("../../../models/news/moves.trees"),
                include_str!("../../../tests/fixtures/moves.trees.json"),
            ),
        ];
        for (bytes, rows) in models {
            let trees = Trees::parse(bytes).expect("part of the program");
            let rows: Vec<Row> = serde_json::from_str(rows).expect("part of the tests");
            assert!(
                rows.iter().any(|row| row.logit > 0.0) && rows.iter().any(|row| row.logit < 0.0)
            );
            for row in rows {
                let logit = trees.logit(&row.features);
                assert!((logit - row.logit).abs() < 1e-3, "{logit} {}", row.logit);
            }
        }
    }

    #[test]
    fn what_leads_nowhere_is_refused() {
        assert!(Trees::parse(&bytes()).is_some());
        for cut in 0..bytes().len() {
            assert!(Trees::parse(&bytes()[..cut]).is_none(), "{cut}");
        }
        let mut circle = bytes();
        circle[26] = 0;
        assert!(Trees::parse(&circle).is_none());
        let mut unknown_feature = bytes();
        unknown_feature[24] = 2;
        assert!(Trees::parse(&unknown_feature).is_none());
    }
}
