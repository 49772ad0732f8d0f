//! Records as Parquet: one row an article, and one for each input that failed.

use arrow_json::ReaderBuilder;
use arrow_json::reader::Decoder;
use arrow_schema::{DataType, Field, Fields, Schema};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use serde_json::{Map, Value, json};
use std::io::Write;
use std::sync::Arc;

/// Rows that are turned into columns at a time, or fewer that have so much text together.
const BATCH_ROWS: usize = 512;
const BATCH_TEXT_BYTES: usize = 8 << 20;
/// Rows and encoded bytes of a row group, which is held in memory.
const GROUP_ROWS: usize = 4096;
const GROUP_BYTES: usize = 32 << 20;

/// Takes records as JSON values, writes a Parquet file.
pub struct Writer<W: Write + Send> {
    decoder: Decoder,
    writer: ArrowWriter<W>,
    rows: Vec<Value>,
    /// Bytes of text in `rows`.
    text_bytes: usize,
}

impl<W: Write + Send> Writer<W> {
    pub fn new(out: W) -> Result<Self, ParquetError> {
        let schema = Arc::new(schema());
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_max_row_group_row_count(Some(GROUP_ROWS))
            .set_max_row_group_bytes(Some(GROUP_BYTES))
            .build();
        Ok(Self {
            decoder: ReaderBuilder::new(Arc::clone(&schema))
                .with_batch_size(BATCH_ROWS)
                .build_decoder()?,
            writer: ArrowWriter::try_new(out, schema, Some(properties))?,
            rows: Vec::new(),
            text_bytes: 0,
        })
    }

    /// Adds the rows of one record.
    pub fn push(&mut self, record: &Value) -> Result<(), ParquetError> {
        for row in rows(record) {
            self.text_bytes += row["text"].as_str().map_or(0, str::len);
            self.rows.push(row);
            if self.rows.len() == BATCH_ROWS || self.text_bytes >= BATCH_TEXT_BYTES {
                self.flush()?;
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), ParquetError> {
        self.decoder.serialize(&self.rows)?;
        if let Some(batch) = self.decoder.flush()? {
            self.writer.write(&batch)?;
        }
        self.rows.clear();
        self.text_bytes = 0;
        Ok(())
    }

    /// Writes what is left and the file's end.
    pub fn finish(mut self) -> Result<(), ParquetError> {
        self.flush()?;
        self.writer.close()?;
        Ok(())
    }
}

/// The columns, in the order of the record's fields.
pub fn schema() -> Schema {
    let text = |name| Field::new(name, DataType::Utf8, true);
    let whole = |name| Field::new(name, DataType::Int64, true);
    let number = |name| Field::new(name, DataType::Float64, true);
    let list = |name, item: DataType| {
        Field::new(
            name,
            DataType::List(Arc::new(Field::new("item", item, true))),
            true,
        )
    };
    let group = |fields: Vec<Field>| DataType::Struct(Fields::from(fields));
    let spans = DataType::List(Arc::new(Field::new("item", DataType::Int64, true)));
    Schema::new(vec![
        text("id"),
        text("path"),
        text("sha256"),
        text("encoding"),
        whole("chars"),
        text("model"),
        text("model_digest"),
        text("dtype"),
        // Which article of the input, from 0, and of how many.
        whole("article"),
        whole("articles"),
        text("title"),
        list("byline", DataType::Utf8),
        Field::new(
            "dateline",
            group(vec![text("paper"), text("place"), text("date")]),
            true,
        ),
        text("text"),
        list("spans", spans.clone()),
        list("title_spans", spans.clone()),
        text("sector"),
        text("sector_label"),
        text("sector_iptc"),
        number("sector_score"),
        list("sectors", group(vec![text("key"), number("score")])),
        list(
            "summary",
            group(vec![
                text("text"),
                list("span", DataType::Int64),
                number("score"),
            ]),
        ),
        list(
            "keywords",
            group(vec![text("text"), number("score"), whole("count")]),
        ),
        list(
            "duplicates",
            group(vec![
                list("span", DataType::Int64),
                list("of", DataType::Int64),
            ]),
        ),
        list(
            "warnings",
            group(vec![text("kind"), text("message"), list("spans", spans)]),
        ),
        text("error_kind"),
        text("error_message"),
    ])
}

fn rows(record: &Value) -> Vec<Value> {
    let source = &record["source"];
    let mut common = Map::new();
    let mut put = |key: &str, value: &Value| common.insert(key.to_owned(), value.clone());
    put("id", &record["id"]);
    put("path", &source["path"]);
    put("sha256", &source["sha256"]);
    put("encoding", &source["encoding"]);
    put("chars", &source["chars"]);
    put("model", &record["model"]["name"]);
    put("model_digest", &record["model"]["digest"]);
    put("dtype", &record["model"]["dtype"]);
    put("duplicates", &record["duplicates"]);
    put("warnings", &record["warnings"]);
    let articles = record["articles"].as_array();
    let Some(articles) = articles.filter(|articles| !articles.is_empty()) else {
        put("error_kind", &record["error"]["kind"]);
        put("error_message", &record["error"]["message"]);
        return vec![Value::Object(common)];
    };
    let count = articles.len();
    articles
        .iter()
        .enumerate()
        .map(|(i, article)| {
            let mut row = common.clone();
            for key in [
                "title",
                "byline",
                "dateline",
                "text",
                "spans",
                "title_spans",
                "sectors",
                "summary",
                "keywords",
            ] {
                row.insert(key.to_owned(), article[key].clone());
            }
            let sector = &article["sector"];
            row.insert("article".to_owned(), json!(i));
            row.insert("articles".to_owned(), json!(count));
            row.insert("sector".to_owned(), sector["key"].clone());
            row.insert("sector_label".to_owned(), sector["label"].clone());
            row.insert("sector_iptc".to_owned(), sector["iptc"].clone());
            row.insert("sector_score".to_owned(), sector["score"].clone());
            Value::Object(row)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_article_is_a_row_and_so_is_a_failure() {
        let brief = json!({"id": "a", "source": {"path": "a.txt", "sha256": "0", "encoding": "UTF-8", "chars": 9},
            "model": {"name": "news", "digest": "d", "dtype": "f32"},
            "articles": [{"title": "一", "spans": [[0, 4]], "sector": {"key": "law", "score": 0.5}}, {"title": "二"}],
            "duplicates": [{"span": [5, 9], "of": [0, 4]}], "warnings": []});
        let failure = json!({"id": "b", "source": {"path": "b.txt"}, "error": {"kind": "empty", "message": "is empty"}});
        let found = rows(&brief);
        assert_eq!(found.len(), 2);
        assert_eq!(
            (&found[1]["article"], &found[1]["articles"]),
            (&json!(1), &json!(2))
        );
        assert_eq!(found[0]["duplicates"], brief["duplicates"]);
        assert_eq!(rows(&failure)[0]["error_kind"], "empty");
        assert_eq!(rows(&json!({"id": "c", "articles": []})).len(), 1);
        let long = "文".repeat(BATCH_TEXT_BYTES / 5);
        let long = json!({"id": "d", "articles": [{"text": long}, {"text": long}, {"text": long}]});
        let mut out = Vec::new();
        let mut writer = Writer::new(&mut out).unwrap();
        for record in [&brief, &failure, &long] {
            writer.push(record).unwrap();
        }
        assert_eq!(
            writer.rows.len(),
            1,
            "long texts were written before there were many"
        );
        writer.finish().unwrap();
        assert!(out.starts_with(b"PAR1") && out.ends_with(b"PAR1"));
    }

    #[test]
    fn every_field_of_a_record_is_in_a_column() {
        let columns = schema();
        let schema = crate::output::record::json_schema();
        let fields = |name: &str| {
            schema["$defs"][name]["properties"]
                .as_object()
                .unwrap()
                .clone()
        };
        let apart = ["schema", "source", "model", "articles"];
        let brief = fields("Brief").into_iter();
        let brief = brief.filter(|(name, _)| !apart.contains(&name.as_str()));
        for (name, _) in brief.chain(fields("ArticleBrief")).chain(fields("Source")) {
            assert!(columns.field_with_name(&name).is_ok(), "{name}");
        }
    }
}
