//! Names of people, as they sign what they wrote.

use super::fold::is_han;
use super::patterns::PATTERNS;
use super::words::{WordClass, pieces, words};

/// Marks and brackets that may stand around a signature.
const AROUND: &str = "（）()【】[]—-–·■□●○◎▲△▼◆◇★▌丨|/";

/// Whether folded text is nothing but names of people (`何田`, `（何 田）`, `■何田 林小满`): each opens with a surname and is no
/// word of the dictionary (`黄山市`, `方案`).
pub fn are_names(folded: &[char]) -> bool {
    let line: String = folded.iter().collect();
    let bare = line.trim_matches(|c: char| c.is_whitespace() || AROUND.contains(c));
    PATTERNS.names.is_match(bare) && !bare.split(|c| !is_han(c)).any(is_word)
}

/// Whether a folded line below a headline and above its text says who wrote it: `记者杭可`, `□杭可`, `方圆`. A surname may open a word
/// of the dictionary there; other words are no names (`记者手记`, `【关注】`).
pub fn is_author(folded: &[char]) -> bool {
    let line: String = folded.iter().collect();
    let Some(found) = PATTERNS.author.captures(&line) else {
        return false;
    };
    let group = |name: &str| found.name(name).map_or("", |part| part.as_str());
    let is_genre = |word: &str| PATTERNS.genre.is_match(word);
    let names = |part: &'static str| {
        let names = group(part).split(|c| !is_han(c));
        names.filter(|name| !name.is_empty() && !PATTERNS.role.is_match(name))
    };
    let mut named = names("named").chain(names("marked")).chain(names("unit"));
    let is_no_name = named.any(|name| is_genre(name) || is_word(name) && !opens_with_surname(name))
        || names("unit").any(is_word)
        || names("alone").any(is_genre)
        || group("alone").contains('·') && names("alone").any(is_word);
    !is_no_name
}

/// Whether folded text in brackets says where somebody works and who it is: `（综采二队 何田）`. `（河南 安阳）` is a place.
pub fn signs_for_a_unit(folded: &[char]) -> bool {
    let line: String = folded.iter().collect();
    let found = PATTERNS.unit_signed.captures(&line);
    let names = found.as_ref().and_then(|found| found.name("unit"));
    names.is_some_and(|names| !names.as_str().split(|c| !is_han(c)).any(is_word))
}

/// Whether folded text in brackets at the end of a report may be a signature, pen names too: `（水宣）`, `（溪流）`, but not `（待续）`, `（三天）`.
pub fn may_sign(folded: &[char]) -> bool {
    let line: String = folded.iter().collect();
    let names = PATTERNS.end_signature.captures(&line);
    let names = names.as_ref().and_then(|found| found.name("who"));
    names.is_some_and(|names| {
        let mut names = names.as_str().split_whitespace();
        names.all(|name| !PATTERNS.genre.is_match(name) && !PATTERNS.no_signature.is_match(name))
    })
}

/// Whether a name opens with a surname and is as long as names are.
pub fn opens_with_surname(name: &str) -> bool {
    PATTERNS.names.is_match(name)
}

/// Whether the dictionary has it, as something else than a person. What is guessed to be a word from its characters is none:
/// `曾实`.
fn is_word(text: &str) -> bool {
    let chars: Vec<char> = text.chars().collect();
    let is_known = || pieces(&chars).len() == 1;
    let is_person = || matches!(words(&chars)[..], [word] if word.class == WordClass::Person);
    chars.len() > 1 && is_known() && !is_person()
}

/// The names of a credit: what stands behind what they are.
pub fn credited_names(credit: &str) -> impl Iterator<Item = &str> {
    let role = PATTERNS.role.find_iter(credit).last();
    let names = &credit[role.map_or(0, |role| role.end())..];
    let is_mark = |c: char| c.is_whitespace() || "、，,/／:：|｜（）()【】".contains(c);
    names.split(is_mark).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn below_a_headline_stands_who_wrote_it() {
        let is = |text: &str| is_author(&text.chars().collect::<Vec<_>>());
        for author in [
            "记者杭可",
            "健康时讯记者 杭可 通讯员 吕静",
            "记者王晓红 摄影李明",
            "方圆",
            "□杭可",
            "（杭可）",
            "杭可 文/摄",
            "欧阳 明",
            "徐敬堂（市作协会员）",
            "刘澍 媒体评论员",
            "[美]徐敬堂",
            "文/葛水平",
            "一矿  崔志刚",
            "东江日报评论员",
            "□ 本报评论员",
            "闻人杰",
            "公孙止水",
        ] {
            assert!(is(author), "{author}");
        }
        for other in [
            "【记者手记】",
            "记者调查",
            "（上）",
            "【随笔】",
            "文摘",
            "——写在教师节到来之际",
            "服务周边三个县",
            "本报记者走进新院区",
            "二十四节气·立夏",
        ] {
            assert!(!is(other), "{other}");
        }
    }

    #[test]
    fn somebody_may_sign_for_where_he_works() {
        let signs = |text: &str| signs_for_a_unit(&text.chars().collect::<Vec<_>>());
        assert!(signs("（综采二队 何田）") && signs("(市一院 何田 主任医师)"));
        for other in [
            "（河南 安阳）",
            "（全体起立 鼓掌）",
            "（记者手记）",
            "（何田）",
        ] {
            assert!(!signs(other), "{other}");
        }
    }

    #[test]
    fn tells_names_from_words() {
        let are = |text: &str| are_names(&text.chars().collect::<Vec<_>>());
        for names in [
            "何田",
            "何 田",
            "（林小满）",
            "■何田 林小满",
            "——何田",
            "何田、林小满",
            "欧阳小田",
            "袁超 曾实 赵久川",
        ] {
            assert!(are(names), "{names}");
        }
        for other in [
            "方案",
            "（黄山市）",
            "■关注",
            "大桥通车",
            "",
            "■",
            "马上就访",
            "时评",
            "温馨提示",
        ] {
            assert!(!are(other), "{other}");
        }
    }

    #[test]
    fn names_stand_behind_what_they_are() {
        let named = |credit| credited_names(credit).collect::<Vec<_>>();
        assert_eq!(named("本报驻东江记者 何晓、林小满"), ["何晓", "林小满"]);
        assert_eq!(named("何晓"), ["何晓"]);
    }
}
