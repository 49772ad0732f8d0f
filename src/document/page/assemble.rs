//! Blocks in reading order → articles.

use super::credits::{
    Opening, credits, dateline_alone, inner_credits, is_of_a_photo, left_out, noted_down, opening,
    trailing_credit,
};
use super::pieces::pieces;
use super::{Block, BlockKind, line, signatures};
use crate::document::{Article, Span};
use crate::text::fold::{folded_head, is_han};
use crate::text::patterns::PATTERNS;

/// Builds articles from blocks in reading order: a headline after text opens the next article, a headline before
/// any text is one more deck. A block that [opens](Block::opens) one does so without a headline.
pub fn assemble(text: &[char], blocks: &[Block]) -> Vec<Article> {
    let mut articles = Vec::new();
    let mut current = Article::default();
    // Whether a body block stands between the last headline and here.
    let mut below_body = false;
    for (i, block) in blocks.iter().enumerate() {
        match block.kind {
            BlockKind::Furniture => {
                if !current.title_spans.is_empty() && !current.has_body() {
                    current.add_credits(named_beside(block.span.of(text)));
                }
            }
            BlockKind::Headline => {
                if current.has_body() {
                    articles.push(std::mem::take(&mut current));
                }
                current.title_spans.push(block.span);
                below_body = false;
            }
            BlockKind::Byline => {
                push_byline(block.span.of(text), &mut current);
                push_credit(text, &pieces(text, block.span), &mut current);
            }
            // It stands in its paragraph already.
            BlockKind::Body if block.continues && below_body => {}
            BlockKind::Body => {
                if block.opens && current.has_body() {
                    articles.push(std::mem::take(&mut current));
                }
                push_paragraph(text, block, rests(&blocks[i + 1..]), &mut current);
                below_body = true;
            }
        }
    }
    if current.has_body() {
        articles.push(current);
    } else if let Some(last) = articles.last_mut() {
        // A headline whose text was printed twice and is used elsewhere: no text is lost.
        for span in current.title_spans {
            last.push_paragraph(text, &pieces(text, span), true);
        }
        last.add_credits(current.byline);
        last.credit_spans.extend(current.credit_spans);
    }
    if articles.is_empty() {
        articles.push(everything(text, blocks));
    }
    for article in &mut articles {
        article.title = title(text, &article.title_spans, &article.text);
        signatures::sign(article);
        set_boilerplate_aside(article);
    }
    articles
}

/// Who wrote it, in a line below the headline that says where and when it was printed (`2024-01-22 来源：东江日报 作者：何田`).
fn named_beside(line: &[char]) -> Vec<String> {
    let head = folded_head(line, META_CHARS);
    let found = PATTERNS.meta_author.captures(&head);
    let named = found.and_then(|found| found.name("who"));
    named.map_or_else(Vec::new, |who| credits(who.as_str()))
}

/// What is looked at of such a line.
const META_CHARS: usize = 120;

/// Captions, rights, risks and subscriptions are printed, not analysed, if anything else is there.
fn set_boilerplate_aside(article: &mut Article) {
    let paragraphs = article.paragraphs();
    let is_boilerplate = |span: &Span| {
        let head = folded_head(span.of(&article.text), BOILERPLATE_CHARS);
        PATTERNS.boilerplate.is_match(&head)
    };
    let (aside, text): (Vec<Span>, Vec<Span>) = paragraphs.into_iter().partition(is_boilerplate);
    // Headings and credits say nothing by themselves.
    let is_text = |span: &Span| {
        let starts = |part: &Span| part.start.cmp(&span.start);
        let next = article
            .asides
            .partition_point(|credit| credit.end < span.end);
        let is_credit = article
            .asides
            .get(next)
            .is_some_and(|credit| credit.contains(*span));
        article.headings.binary_search_by(starts).is_err() && !is_credit
    };
    if aside.is_empty() || !text.iter().any(is_text) {
        return;
    }
    // With a line end on one side: nothing is left of the line where it is left out.
    let with_line_end = |span: Span| match span.start {
        0 => Span::new(0, span.end + 1),
        start => Span::new(start - 1, span.end),
    };
    article.asides.extend(aside.into_iter().map(with_line_end));
    article.asides.sort_unstable_by_key(|aside| aside.start);
    article.asides = merged(std::mem::take(&mut article.asides));
}

/// What is looked at of a paragraph to tell boilerplate.
const BOILERPLATE_CHARS: usize = 80;

/// Spans in order, those that meet put together.
fn merged(spans: Vec<Span>) -> Vec<Span> {
    let mut out: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans {
        match out.last_mut() {
            Some(last) if span.start <= last.end => last.end = last.end.max(span.end),
            _ => out.push(span),
        }
    }
    out
}

/// Of the blocks after a paragraph's first one, those that go on with it.
fn rests(blocks: &[Block]) -> impl Iterator<Item = &Block> {
    blocks
        .iter()
        .take_while(|block| block.kind != BlockKind::Headline)
        .filter(|block| block.kind == BlockKind::Body)
        .take_while(|block| block.continues)
}

/// A page of nothing but bylines or page numbers: better one odd article than lost text.
fn everything(text: &[char], blocks: &[Block]) -> Article {
    let mut article = Article::default();
    for block in blocks {
        article.push_paragraph(text, &pieces(text, block.span), false);
    }
    article
}

/// Adds a paragraph. A dateline and credits in brackets stay in it, as asides, and are also named in the article; where
/// nothing else is there, they are a byline. All this is looked for in the joined text: a column may end in a dateline.
fn push_paragraph<'a>(
    text: &[char],
    first: &'a Block,
    rests: impl Iterator<Item = &'a Block>,
    article: &mut Article,
) {
    let blocks: Vec<&Block> = std::iter::once(first).chain(rests).collect();
    let pieces: Vec<Span> = (blocks.iter())
        .flat_map(|block| pieces(text, block.span))
        .collect();
    // A short line that is read on was the beginning of a paragraph, no heading.
    let is_heading = blocks.iter().all(|block| block.is_heading);
    let joined = joined(text, &pieces);
    let Opening {
        chars: opening,
        dateline,
        credits: people,
    } = opening(&joined);
    let trailing = trailing_credit(&joined[opening..]);
    // The first dateline is the article's; a later one is of a report inside a report.
    article.dateline = article.dateline.take().or(dateline);
    if article.byline.is_empty() || !is_of_a_photo(&joined[..opening]) {
        article.add_credits(people);
    }
    let end = joined.len() - trailing;
    let inner: Vec<Span> = inner_credits(&joined[opening..end])
        .into_iter()
        .map(|credit| credit.shifted(opening))
        .collect();
    for credit in &inner {
        push_byline(credit.of(&joined), article);
    }
    if trailing > 0 {
        let blank = joined[end..].iter().take_while(|c| c.is_whitespace());
        push_byline(&joined[end + blank.count()..], article);
    } else {
        article.add_credits(noted_down(&joined));
    }
    if opening == end {
        push_credit(text, &pieces, article);
        return;
    }
    article.push_paragraph(text, &pieces, is_heading);
    let start = article.text.len() - joined.len();
    let ends = [Span::new(0, opening), Span::new(end, joined.len())];
    let inner = left_out(&joined, inner);
    let asides = ends[..1].iter().chain(&inner).chain(&ends[1..]);
    let asides = asides.filter(|aside| !aside.is_empty());
    article
        .asides
        .extend(asides.map(|aside| aside.shifted(start)));
}

/// Names who a line that is a credit names, or where and when one that is a dateline.
fn push_byline(line: &[char], article: &mut Article) {
    if !article.byline.is_empty() && is_of_a_photo(line) {
        return;
    }
    if let Some(opening) = dateline_alone(line) {
        article.dateline = article.dateline.take().or(opening.dateline);
        article.add_credits(opening.credits);
    } else {
        article.add_credits(credits(&line.iter().collect::<String>()));
    }
}

/// Adds a line that is a credit and nothing else. In brackets below the text it is the text's last line, an aside.
fn push_credit(text: &[char], pieces: &[Span], article: &mut Article) {
    if !(article.has_body() && line::in_brackets(&joined(text, pieces))) {
        article.credit_spans.extend(pieces);
        return;
    }
    // With the line end before it: nothing is left of the line where it is left out.
    let start = article.text.len();
    article.push_paragraph(text, pieces, false);
    article.asides.push(Span::new(start, article.text.len()));
}

/// Pieces read on without a break.
fn joined(text: &[char], pieces: &[Span]) -> Vec<char> {
    let chars = pieces.iter().flat_map(|piece| piece.of(text));
    chars.copied().collect()
}

/// Decks joined by one space; white space inside a deck becomes one space. A line that was broken in the middle of a phrase is
/// one deck with the next.
fn title(text: &[char], spans: &[Span], body: &[char]) -> String {
    let decks = spans.iter().map(|span| joined(text, &pieces(text, *span)));
    let printed = decks.reduce(|mut title, deck| {
        if !is_broken_phrase(&title, &deck, body) {
            title.push(' ');
        }
        title.extend(deck);
        title
    });
    let printed: String = printed.unwrap_or_default().iter().collect();
    on_one_line(&printed)
}

/// White space, line ends too, as single blanks.
pub(super) fn on_one_line(printed: &str) -> String {
    printed.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Whether a phrase goes on from one deck to the next: the text has it unbroken, one character of it from the one deck and
/// three from the other.
fn is_broken_phrase(above: &[char], below: &[char], body: &[char]) -> bool {
    let near = &body[..body.len().min(BODY_CHARS)];
    [(1, 3), (3, 1)].into_iter().any(|(left, right)| {
        if above.len() < left || below.len() < right {
            return false;
        }
        let phrase = [&above[above.len() - left..], &below[..right]].concat();
        phrase.iter().copied().all(is_han) && near.windows(phrase.len()).any(|part| part == phrase)
    })
}

/// What of a text is searched for a headline's phrases.
const BODY_CHARS: usize = 4000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::page::body_blocks;

    /// The article of lines of which those after the first that begin with `+` go on with the one before.
    fn article(lines: &[&str]) -> Article {
        let text: Vec<char> = lines.join("\n").chars().collect();
        let mut blocks = body_blocks(&text);
        for block in &mut blocks {
            if text[block.span.start] == '+' {
                block.continues = true;
                block.span.start += 1;
            }
        }
        assemble(&text, &blocks).swap_remove(0)
    }

    fn read(article: &Article) -> String {
        article.reading().text.iter().collect()
    }

    fn printed(article: &Article) -> String {
        article.text.iter().collect()
    }

    #[test]
    fn datelines_and_credits_are_printed_but_not_read() {
        let article = article(&[
            "东江日报3月5日讯(记者 林小满) 大桥今天通车。",
            "（通讯员 何晓）市民走上大桥。（实习生 周默）",
        ]);
        assert_eq!(
            printed(&article),
            "东江日报3月5日讯(记者 林小满) 大桥今天通车。\n（通讯员 何晓）市民走上大桥。（实习生 周默）"
        );
        assert_eq!(read(&article), "大桥今天通车。\n市民走上大桥。");
        assert_eq!(
            article.byline,
            ["记者 林小满", "通讯员 何晓", "实习生 周默"]
        );
        assert_eq!(article.dateline.unwrap().paper, "东江日报");
    }

    #[test]
    fn a_phrase_that_a_headlines_line_breaks_is_whole_in_the_title() {
        let title = |decks: &str| {
            let text: Vec<char> =
                format!("{decks}\n东江市人民政府决定修建大桥，市民走上大桥参观。")
                    .chars()
                    .collect();
            let mut blocks = body_blocks(&text);
            for block in &mut blocks[..2] {
                block.kind = BlockKind::Headline;
            }
            assemble(&text, &blocks).swap_remove(0).title
        };
        assert_eq!(
            title("东江市人民政\n府办公厅通知"),
            "东江市人民政府办公厅通知"
        );
        assert_eq!(title("东江修桥\n市民高兴"), "东江修桥 市民高兴");
        assert_eq!(title("东江新地标\n大桥通车"), "东江新地标 大桥通车");
    }

    #[test]
    fn a_dateline_that_was_cut_is_whole_again() {
        for cut in [
            ["东江日报3月5日讯(记者 林", "+小满)大桥今天通车。"],
            ["东江日报3月5日讯", "+(记者 林小满)大桥今天通车。"],
        ] {
            let article = article(&cut);
            assert_eq!(read(&article), "大桥今天通车。", "{cut:?}");
            assert_eq!(article.byline, ["记者 林小满"]);
            assert!(article.credit_spans.is_empty());
        }
    }

    #[test]
    fn a_short_line_that_is_read_on_is_no_heading() {
        assert_eq!(article(&["大桥今天通车"]).headings.len(), 1);
        let joined = article(&["大桥今天通车", "+，市民走上大桥参观，江面上张灯结彩。"]);
        assert!(joined.headings.is_empty());
    }

    #[test]
    fn a_credit_that_closes_the_text_is_printed_but_not_read() {
        let article = article(&[
            "（记者 何晓）",
            "大桥今天通车。",
            "（东江日报记者 林小满）",
            "市民走上大桥。（实习生 周默）",
            "（摄影 周默）",
        ]);
        assert_eq!(
            printed(&article),
            "大桥今天通车。\n（东江日报记者 林小满）\n市民走上大桥。（实习生 周默）\n（摄影 周默）"
        );
        assert_eq!(read(&article), "大桥今天通车。\n市民走上大桥。");
        assert_eq!(article.credit_spans.len(), 1);
    }

    #[test]
    fn a_dateline_in_brackets_may_close_an_article() {
        let article = article(&["大桥今天通车。", "（新华社东江3月5日电 记者何晓、林小满）"]);
        assert_eq!(read(&article), "大桥今天通车。");
        assert_eq!(article.byline, ["记者何晓、林小满"]);
        assert_eq!(article.dateline.unwrap().place.as_deref(), Some("东江"));
    }

    #[test]
    fn a_dateline_in_brackets_may_close_a_paragraph() {
        let found = article(&[
            "大桥今天通车。（本报西江、东江3月5日电 记者何晓、林小满、周默、方圆、石磊、杨柳、于晴、李梅）",
        ]);
        assert_eq!(read(&found), "大桥今天通车。");
        assert_eq!(
            found.byline,
            ["记者何晓、林小满、周默、方圆、石磊、杨柳、于晴、李梅"]
        );
        assert_eq!(found.dateline.unwrap().date.as_deref(), Some("3月5日"));
    }

    #[test]
    fn who_wrote_down_what_an_author_said_is_named() {
        let found = article(&[
            "大桥今天通车。",
            "（作者为东江大学教授，本报记者林小满采访整理）",
        ]);
        assert_eq!(found.byline, ["本报记者林小满"]);
        // What the author is says nothing of the bridge.
        assert_eq!(read(&found), "大桥今天通车。");
        let found = article(&["大桥今天通车。（本报记者林小满采访整理）"]);
        assert_eq!(found.byline, ["本报记者林小满"]);
    }

    #[test]
    fn a_line_of_the_web_may_name_the_author() {
        let text: Vec<char> = "东江大桥通车\n2024-01-22 来源：东江日报 作者：何田\n大桥今天通车。"
            .chars()
            .collect();
        let mut blocks = body_blocks(&text);
        blocks[0].kind = BlockKind::Headline;
        assert_eq!(assemble(&text, &blocks)[0].byline, ["何田"]);
    }

    #[test]
    fn a_name_alone_in_brackets_is_who_wrote_it() {
        let article = article(&[
            "（何晓）大桥今天通车。",
            "市民走上大桥。（林小满）",
            "天气晴朗。（黄山市）",
        ]);
        assert_eq!(
            read(&article),
            "大桥今天通车。\n市民走上大桥。\n天气晴朗。（黄山市）"
        );
        assert_eq!(article.byline, ["何晓", "林小满"]);
    }

    #[test]
    fn who_took_a_picture_did_not_write_the_article() {
        let found = article(&[
            "本报讯（记者 何田）大桥今天通车。",
            "（图/记者林小满摄）老街的招牌字迹斑驳。",
            "市民走上大桥（记者 周默 摄），拍照留念（记者 周默 摄） （记者 何田 摄）的很多。",
        ]);
        assert_eq!(found.byline, ["记者 何田"]);
        // Between two words it stays.
        assert!(
            read(&found)
                .ends_with("市民走上大桥，拍照留念（记者 周默 摄） （记者 何田 摄）的很多。")
        );
        let picture = article(&["市民走上大桥。（记者 林小满 摄）"]);
        assert_eq!(picture.byline, ["记者 林小满"]);
    }

    #[test]
    fn boilerplate_is_printed_but_not_read() {
        let found = article(&[
            "版权声明：本文归东江日报所有。",
            "大桥今天通车。",
            "图为市民走上大桥。（何晓 摄）",
            "（记者 林小满）",
            "免责声明：文中内容仅供参考",
        ]);
        assert_eq!(read(&found), "大桥今天通车。");
        assert!(printed(&found).starts_with("版权声明") && printed(&found).ends_with("参考"));
        assert_eq!(
            read(&article(&["图为市民走上大桥。"])),
            "图为市民走上大桥。"
        );
        let credited = article(&["图为市民走上大桥。", "（本报记者 林小满 摄影报道）"]);
        assert_eq!(read(&credited), "图为市民走上大桥。");
        let both = article(&["图为市民走上大桥。", "（记者 林小满）", "大桥今天通车。"]);
        assert_eq!(read(&both).trim(), "大桥今天通车。");
    }

    #[test]
    fn a_dateline_alone_is_a_byline() {
        let article = article(&["东江日报3月5日讯(记者 林小满)", "大桥今天通车。"]);
        assert_eq!(printed(&article), "大桥今天通车。");
        assert_eq!(article.credit_spans.len(), 1);
    }
}
