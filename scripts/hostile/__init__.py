"""Files as archives have them and as attackers make them: for hostile_folder.py and fuzz_decoders.py."""
