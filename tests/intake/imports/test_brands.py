"""Brands are imported like everything else: one row a brand, lists with semicolons."""

import yaml

COLUMNS = {"brand_id": "id", "name": "brand", "terms": "say", "banned_terms": "never", "link": "link"}


def write(shop, *rows):
    """A list of brands and its mapping."""
    (shop.folder / "brands.csv").write_text("\n".join(("id,brand,say,never,link", *rows)), encoding="utf-8")
    spec = {"file": "brands.csv", "holds": "brands", "columns": COLUMNS}
    shop.mapping_text(yaml.safe_dump({"version": 1, "files": [spec]}))


def test_a_later_list_replaces_what_was_said_of_a_brand(shop):
    """Brands that it does not name stay as they are."""
    write(shop, "b-1,Roasters,single origin; fair,cheap,https://a.example", "b-2,Mugs,,,")
    assert shop.take_file().rows_taken == 2
    write(shop, "b-1,Roasters of Trieste,,,")
    shop.take_file()
    assert shop.fetch("brands", "brand_id", "name", "terms", "banned_terms") == [
        {"brand_id": "b-1", "name": "Roasters of Trieste", "terms": None, "banned_terms": None},
        {"brand_id": "b-2", "name": "Mugs", "terms": None, "banned_terms": None},
    ]
